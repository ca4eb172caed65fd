/**
 * The built-in catalogue: every release of Redis and Valkey from 5.0 on that its project has published a digest for.
 *
 * A release that is not in it needs its digest from the operator; that check is the caller's.
 */
import { compareVersions, type Product, type Release } from '../model/release.ts';
import { redisDigests, valkeyDigests } from './catalogue-data.ts';

/** The release with its official URL and digest; undefined when the catalogue does not know it. */
export function findRelease(name: string): Release | undefined {
  const releaseByName = catalogue();
  return releaseByName.get(name);
}

/** Every release of the catalogue: Redis first, oldest first. */
export function listReleases(): Release[] {
  return [...catalogue().values()];
}

let known: ReadonlyMap<string, Release> | undefined;

function catalogue(): ReadonlyMap<string, Release> {
  known ??= new Map(
    [...releasesOf('redis', redisDigests), ...releasesOf('valkey', valkeyDigests)].map(
      (release) => [release.name, release],
    ),
  );
  return known;
}

function releasesOf(product: Product, digests: Readonly<Record<string, string>>): Release[] {
  return Object.entries(digests)
    .map(([version, sha256]) => ({
      name: `${product}-${version}`,
      product,
      version,
      source: { kind: 'https' as const, url: officialUrl(product, version) },
      sha256,
    }))
    .sort((a, b) => compareVersions(a.version, b.version));
}

/** Where the project itself publishes the archive that its digest belongs to. */
export function officialUrl(product: Product, version: string): string {
  if (product === 'redis') return `https://download.redis.io/releases/redis-${version}.tar.gz`;
  return `https://github.com/valkey-io/valkey/archive/refs/tags/${version}.tar.gz`;
}
