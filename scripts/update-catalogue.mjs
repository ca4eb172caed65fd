// Rewrites the data of the built-in release catalogue from the hash lists that the Redis and
// Valkey projects publish (redis/redis-hashes, valkey-io/valkey-hashes):
//
//   node scripts/update-catalogue.mjs <hash list>...
//
// A line is `hash <archive> sha256 <digest> <url>`; the words `hash` and `sha256` may be missing.
// A release with two different digests is left out: nobody but a person can say which one is right.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { repositoryRoot } from './node24.mjs';

const oldestMajor = 5;
const target = join(repositoryRoot, 'packages/core/src/releases/catalogue-data.ts');
const linePattern =
  /^(?:hash )?(redis|valkey)-(\d+\.\d+\.\d+)\.tar\.gz (?:sha256 )?([0-9a-f]{64}) (\S+)$/;

function readDigests(files) {
  const digests = { redis: new Map(), valkey: new Map() };
  for (const line of files.flatMap((file) => readFileSync(file, 'utf8').split('\n'))) {
    const [, product, version, digest] = linePattern.exec(line.trim()) ?? [];
    if (version === undefined || Number.parseInt(version, 10) < oldestMajor) continue;
    const known = digests[product].get(version) ?? new Set();
    digests[product].set(version, known.add(digest));
  }
  return digests;
}

function renderTable(name, digests) {
  const rows = [...digests]
    .filter(([, known]) => known.size === 1)
    .sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))
    .map(([version, known]) => `  '${version}': '${[...known][0]}',`);
  return [`export const ${name}: Digests = {`, ...rows, '};'].join('\n');
}

if (process.argv.length < 3) {
  process.stderr.write('usage: node scripts/update-catalogue.mjs <hash list>...\n');
  process.exit(64);
}
const { redis, valkey } = readDigests(process.argv.slice(2));
const header = `/**
 * SHA-256 of each official source archive, as the Redis and Valkey projects publish them.
 *
 * Written by scripts/update-catalogue.mjs; what the digests mean is \`catalogue.ts\`'s business.
 */
type Digests = Readonly<Record<string, string>>;
`;
const tables = [renderTable('redisDigests', redis), renderTable('valkeyDigests', valkey)];
writeFileSync(target, `${header}\n${tables.join('\n\n')}\n`);
