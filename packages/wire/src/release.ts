/** Releases, their sources, and builds with their provenance, between proto and core. */
import { create } from '@bufbuild/protobuf';
import type * as core from '@redrover/core';
import * as proto from '@redrover/proto';
import {
  enumMapping,
  invalidField,
  nameFromProto,
  nonEmptyFromProto,
  numberFromProto,
  numberToProto,
  requiredField,
  sha256FromProto,
  timestampFromProto,
  timestampToProto,
} from './fields.ts';

const product = enumMapping<core.Product, proto.Product>({
  redis: proto.Product.REDIS,
  valkey: proto.Product.VALKEY,
});

export function productToProto(value: core.Product): proto.Product {
  return product.toProto(value);
}

export function productFromProto(value: proto.Product, path = 'product'): core.Product {
  return product.fromProto(value, path);
}

export function releaseSourceToProto(source: core.ReleaseSource): proto.ReleaseSource {
  return create(proto.ReleaseSourceSchema, { source: sourceCase(source) });
}

function sourceCase(source: core.ReleaseSource) {
  switch (source.kind) {
    case 'https':
      return { case: 'https' as const, value: { url: source.url } };
    case 'upload':
      return { case: 'upload' as const, value: { fileName: source.fileName } };
    case 'apt':
      return { case: 'apt' as const, value: { package: source.package, suite: source.suite } };
  }
}

export function releaseSourceFromProto(
  message: proto.ReleaseSource,
  path = 'source',
): core.ReleaseSource {
  const { source } = message;
  switch (source.case) {
    case 'https':
      return { kind: 'https', url: nonEmptyFromProto(source.value.url, `${path}.https.url`) };
    case 'upload': {
      const fileName = nonEmptyFromProto(source.value.fileName, `${path}.upload.fileName`);
      return { kind: 'upload', fileName };
    }
    case 'apt': {
      const { suite } = source.value;
      return {
        kind: 'apt',
        package: nameFromProto(source.value.package, `${path}.apt.package`),
        suite,
      };
    }
    case undefined:
      throw invalidField(path, 'none of https, upload and apt is set');
  }
}

export function releaseToProto(release: core.Release): proto.Release {
  return create(proto.ReleaseSchema, {
    ...release,
    product: product.toProto(release.product),
    source: releaseSourceToProto(release.source),
  });
}

export function releaseFromProto(message: proto.Release, path = 'release'): core.Release {
  return {
    name: nameFromProto(message.name, `${path}.name`),
    product: product.fromProto(message.product, `${path}.product`),
    version: nameFromProto(message.version, `${path}.version`),
    source: releaseSourceFromProto(
      requiredField(message.source, `${path}.source`),
      `${path}.source`,
    ),
    sha256: sha256FromProto(message.sha256, `${path}.sha256`),
  };
}

export function buildToProto(build: core.Build): proto.Build {
  const { provenance } = build;
  return create(proto.BuildSchema, {
    id: build.id,
    release: build.release,
    platform: build.platform,
    provenance: {
      sourceSha256: provenance.sourceSha256,
      sourceLocation: provenance.sourceLocation,
      compiler: provenance.compiler,
      flags: [...provenance.flags],
      builtOnHost: provenance.builtOnHost,
      builtAt: timestampToProto(provenance.builtAtMs),
      durationMs: numberToProto(Math.round(provenance.durationMs), 'build.provenance.durationMs'),
      binaries: { ...provenance.binaries },
    },
  });
}

export function buildFromProto(message: proto.Build, path = 'build'): core.Build {
  const at = `${path}.provenance`;
  return {
    id: nameFromProto(message.id, `${path}.id`),
    release: nameFromProto(message.release, `${path}.release`),
    platform: nameFromProto(message.platform, `${path}.platform`),
    provenance: provenanceFromProto(requiredField(message.provenance, at), at),
  };
}

function provenanceFromProto(message: proto.BuildProvenance, path: string): core.BuildProvenance {
  for (const [file, digest] of Object.entries(message.binaries)) {
    nameFromProto(file, `${path}.binaries`);
    sha256FromProto(digest, `${path}.binaries[${file}]`);
  }
  return {
    sourceSha256: sha256FromProto(message.sourceSha256, `${path}.sourceSha256`),
    sourceLocation: message.sourceLocation,
    compiler: message.compiler,
    flags: [...message.flags],
    builtOnHost: message.builtOnHost,
    builtAtMs: timestampFromProto(message.builtAt, `${path}.builtAt`),
    durationMs: numberFromProto(message.durationMs, `${path}.durationMs`),
    binaries: { ...message.binaries },
  };
}
