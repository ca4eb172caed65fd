/** Entry point of redrover-agent. */
import { runCommandLine } from './command-line.ts';

process.exit(await runCommandLine());
