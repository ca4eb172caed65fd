/** Reads what an operator said of a release, and fills in what can be known. Pure; no I/O. */
import {
  findRelease,
  parseReleaseName,
  RedroverError,
  releaseFromFileName,
  type Release,
  type ReleaseName,
  type ReleaseSource,
} from '@redrover/core';

const SHA256 = /^[0-9a-f]{64}$/;

/** Lower-case digest, or empty when none was given. @throws RedroverError `invalid-argument`. */
export function readDigest(text: string): string {
  const digest = text.trim().toLowerCase();
  if (digest === '' || SHA256.test(digest)) return digest;
  throw new RedroverError(
    'invalid-argument',
    `"${text}" is not a SHA-256: expected 64 hexadecimal digits, as \`sha256sum\` prints them`,
  );
}

/** The name that was given, else the one that the file's name tells. */
export function nameOf(given: string, fileName: string): ReleaseName {
  if (given !== '') return parseReleaseName(given);
  const name = releaseFromFileName(fileName);
  if (name !== undefined) return name;
  throw new RedroverError(
    'invalid-argument',
    `"${fileName}" does not tell which release it is (expected, for example, ` +
      'redis-7.0.15.tar.gz); name it with --name redis-7.0.15',
  );
}

/** The digest that was given, else the official one, which only official archives have. */
export function digestOf(given: string, { name }: ReleaseName): string {
  const digest = given === '' ? findRelease(name)?.sha256 : given;
  if (digest !== undefined) return digest;
  throw new RedroverError(
    'invalid-argument',
    `${name} is not in the built-in catalogue, so its digest must be given: add --sha256 with ` +
      'what the project published',
  );
}

/** A release at a URL. @throws RedroverError `invalid-argument`. */
export function releaseAtUrl(url: string, given: { name: string; sha256: string }): Release {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol !== 'https:') {
    throw new RedroverError(
      'invalid-argument',
      `"${url}" is not an https URL; download the file and add it from there if need be`,
    );
  }
  if (parsed.username !== '' || parsed.password !== '') {
    throw new RedroverError('invalid-argument', 'a URL of a release must not hold a password');
  }
  const name = nameOf(given.name, decodeURIComponent(parsed.pathname));
  const sha256 = digestOf(readDigest(given.sha256), name);
  return toRelease(name, { kind: 'https', url }, sha256);
}

export function toRelease(name: ReleaseName, source: ReleaseSource, sha256: string): Release {
  return { name: name.name, product: name.product, version: name.version, source, sha256 };
}

/** Whether both are the same archive from the same place. */
export function sameRelease(a: Release, b: Release): boolean {
  return a.sha256 === b.sha256 && JSON.stringify(a.source) === JSON.stringify(b.source);
}
