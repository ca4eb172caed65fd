// `npm run lab`: hosts to crash and cut off, for a person (`npm run lab -- --help`). Only bringing a
// lab up builds the programs; the commands for a running one must not change them below it.

import { buildAll } from './build.mjs';
import { findNode24, repositoryRoot, runInForeground } from './node24.mjs';

const args = process.argv.slice(2);
const bringsUp = !args.includes('--help') && !args.includes('-h') && !/^[a-z]/.test(args[0] ?? '-');
if (bringsUp) await buildAll();
// The generated contract has enums, which type stripping alone does not run.
const flags = ['--experimental-transform-types', '--disable-warning=ExperimentalWarning'];
const command = [...flags, `${repositoryRoot}/test/lab/main.ts`, ...args];
process.exitCode = await runInForeground(findNode24(), command, { cwd: repositoryRoot });
