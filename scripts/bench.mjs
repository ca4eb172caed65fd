// `npm run bench`: builds the programs, then takes figures with them (`npm run bench -- create`).

import { buildAll } from './build.mjs';
import { findNode24, repositoryRoot, runInForeground } from './node24.mjs';

await buildAll();
// The generated contract has enums, which type stripping alone does not run.
const flags = ['--experimental-transform-types', '--disable-warning=ExperimentalWarning'];
const args = [...flags, `${repositoryRoot}/test/bench/main.ts`, ...process.argv.slice(2)];
process.exitCode = await runInForeground(findNode24(), args, { cwd: repositoryRoot });
