/** Releases (where a version's source is, and its digest) and builds (its binaries for one platform). */

export type Product = 'redis' | 'valkey';

/**
 * Where the source archive is.
 *
 * - `https`: an official or mirrored URL.
 * - `upload`: a file that the operator gave; the controller holds it as the blob `sha256`.
 * - `apt`: the distribution's own source archive; `suite` empty means the host's own suite. The digest is the one of
 *   the repacked archive, which stands, signed, in its `.dsc` (it differs from the project's own).
 */
export type ReleaseSource =
  | { readonly kind: 'https'; readonly url: string }
  | { readonly kind: 'upload'; readonly fileName: string }
  | { readonly kind: 'apt'; readonly package: string; readonly suite: string };

export interface Release {
  /** `<product>-<version>`, for example `redis-7.0.15`. */
  readonly name: string;
  readonly product: Product;
  /** `major.minor.patch`. */
  readonly version: string;
  readonly source: ReleaseSource;
  /** Of the source archive: 64 lower-case hexadecimal digits. */
  readonly sha256: string;
}

/** Where a build came from; shown by `release show`, kept beside the binaries. */
export interface BuildProvenance {
  readonly sourceSha256: string;
  readonly sourceLocation: string;
  readonly compiler: string;
  /** The arguments of `make`, as given. */
  readonly flags: readonly string[];
  readonly builtOnHost: string;
  readonly builtAtMs: number;
  readonly durationMs: number;
  /** File name to SHA-256, for each installed binary. */
  readonly binaries: Readonly<Record<string, string>>;
}

export interface Build {
  /** Digest of source hash, platform and flags: equal ids are interchangeable. */
  readonly id: string;
  readonly release: string;
  readonly platform: string;
  readonly provenance: BuildProvenance;
}

/** Orders by major, minor, patch; text after the third number is ignored. */
export function compareVersions(a: string, b: string): number {
  const left = versionNumbers(a);
  const right = versionNumbers(b);
  for (let index = 0; index < 3; index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return Math.sign(difference);
  }
  return 0;
}

function versionNumbers(version: string): number[] {
  return version.split(/[.\-~+]/, 3).map((part) => Number.parseInt(part, 10) || 0);
}
