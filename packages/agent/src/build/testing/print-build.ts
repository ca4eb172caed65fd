// Run by test/integration/build where a build needs a process, a user or a mount namespace of its
// own: builds the release of a local archive and prints what came of it as JSON.
import { createReadStream } from 'node:fs';

import type { Release } from '@redrover/core';

import { createBuilder } from '../builder.ts';

interface Job {
  readonly rootDirectory: string;
  readonly cacheDirectory: string;
  readonly buildUser?: string;
  readonly archive: string;
  readonly release: Release;
}

const job = JSON.parse(process.argv[2] ?? '') as Job;
const outcome = await runJob(job).then(
  (build) => ({ build }),
  ({ code, message, context }: { code: string; message: string; context: object }) => ({
    error: { code, message, context },
  }),
);
process.stdout.write(`${JSON.stringify(outcome)}\n`);

async function runJob({ archive, release, ...options }: Job) {
  const builder = await createBuilder({
    ...options,
    hostName: 'h1',
    platform: 'linux-test',
    fetchSource: async () => ({ chunks: createReadStream(archive) }),
    fetchBuild: () => Promise.reject(new Error('nothing to fetch')),
    log: () => undefined,
  });
  return builder.build(release, { onLine: (line) => process.stderr.write(`${line}\n`) });
}
