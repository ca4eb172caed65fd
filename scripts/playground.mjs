// `npm run playground`: builds the programs, then hands over to the playground's own bundle.

import { buildAll } from './build.mjs';
import { findNode24, repositoryRoot, runInForeground } from './node24.mjs';

await buildAll();
const args = [`${repositoryRoot}/dist/redrover-playground.mjs`, ...process.argv.slice(2)];
process.exitCode = await runInForeground(findNode24(), args);
