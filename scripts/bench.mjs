// `npm run bench`: builds the programs and the bench, then runs it (`npm run bench -- create`).

import { buildAll, bundle } from './build.mjs';
import { findNode24, repositoryRoot, runInForeground } from './node24.mjs';

await buildAll();
await bundle({ entry: 'test/bench/main.ts', output: 'redrover-bench.mjs' });
const args = [`${repositoryRoot}/dist/redrover-bench.mjs`, ...process.argv.slice(2)];
process.exitCode = await runInForeground(findNode24(), args, { cwd: repositoryRoot });
