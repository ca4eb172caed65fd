// `npm test`: builds the programs, then runs vitest over all projects. Arguments are vitest's own
// (`npm test -- --project unit`, `npm test -- packages/core`).

import { buildAll } from './build.mjs';
import { findNode24, repositoryRoot, runInForeground } from './node24.mjs';

await buildAll();
const vitest = `${repositoryRoot}/node_modules/vitest/vitest.mjs`;
const args = [vitest, 'run', ...process.argv.slice(2)];
process.exitCode = await runInForeground(findNode24(), args, { cwd: repositoryRoot });
