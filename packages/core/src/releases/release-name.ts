/** Names of releases and of their source archives. Where an archive is found is not this file's business. */
import { RedroverError } from '../errors.ts';
import type { Product } from '../model/release.ts';

export interface ReleaseName {
  /** `<product>-<version>`. */
  readonly name: string;
  readonly product: Product;
  /** `major.minor.patch`, with a pre-release suffix such as `-rc1` where there is one. */
  readonly version: string;
}

// The suffix is bounded to what is safe in a directory name on every host.
const namePattern = /^(redis|valkey)-(\d{1,3}\.\d{1,3}\.\d{1,3}(?:-[a-z0-9]{1,16})?)$/;

// `redis-7.0.15.tar.gz` is the projects' own form, `redis_7.0.15.orig.tar.gz` and
// `valkey_8.1.1+dfsg1.orig.tar.xz` the distributions'.
const filePattern =
  /^(redis|valkey)[-_](\d{1,3}\.\d{1,3}\.\d{1,3}(?:-[a-z0-9]{1,16})?)(?:[~+][a-z0-9.~+]*)?(?:\.orig)?\.(?:tar\.gz|tgz|tar\.xz|txz|tar)$/i;

/** Reads `redis-7.0.15`. Throws `invalid-argument` for anything that is not the name of a release. */
export function parseReleaseName(name: string): ReleaseName {
  const [, product, version] = namePattern.exec(name) ?? [];
  if (product === undefined || version === undefined) {
    throw new RedroverError(
      'invalid-argument',
      `"${name}" is not the name of a release: expected <product>-<major>.<minor>.<patch>, ` +
        'for example redis-7.0.15 or valkey-8.1.4',
    );
  }
  return { name, product: product as Product, version };
}

/** Guesses the release from the name of a source archive; undefined when the name does not tell. */
export function releaseFromFileName(fileName: string): ReleaseName | undefined {
  const baseName = fileName.slice(fileName.lastIndexOf('/') + 1);
  const [, product, version] = filePattern.exec(baseName) ?? [];
  if (product === undefined || version === undefined) return undefined;
  return parseReleaseName(`${product.toLowerCase()}-${version.toLowerCase()}`);
}
