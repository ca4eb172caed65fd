/** The Redis that the labs run: what the tests' setup has compiled into this machine's cache. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { cacheDirectory } from '../support/paths.ts';

export interface LabRelease {
  readonly name: string;
  readonly sha256: string;
  readonly cache: string;
  readonly archive: string;
  /** Of its redis-cli, on the machine and on every host of a lab. */
  readonly redisCli: { readonly machine: string; readonly host: string };
}

/** Errors: no test that needs a real Redis has run on this machine yet. */
export function findLabRelease(): LabRelease {
  const cache = cacheDirectory();
  const note = join(cache, 'test-release.json');
  if (!existsSync(note)) throw new Error(`${note} is missing: obtainBuiltRelease() makes it`);
  const { name, sha256 } = JSON.parse(readFileSync(note, 'utf8')) as Record<string, string>;
  if (name === undefined || sha256 === undefined) throw new Error(`${note} is broken: remove it`);
  const builds = join(cache, 'builds');
  const build = readdirSync(builds).find((id) => isBuildOf(join(builds, id), sha256));
  if (build === undefined) throw new Error(`${builds} has no build of ${name}`);
  const client = join('builds', build, 'bin', 'redis-cli');
  const redisCli = { machine: join(cache, client), host: join('/var/cache/redrover', client) };
  return { name, sha256, cache, archive: join(cache, 'sources', sha256), redisCli };
}

function isBuildOf(directory: string, sha256: string): boolean {
  const path = join(directory, 'provenance.json');
  if (!existsSync(path)) return false;
  const { provenance } = JSON.parse(readFileSync(path, 'utf8')) as {
    provenance?: { sourceSha256?: string };
  };
  return provenance?.sourceSha256 === sha256;
}
