/**
 * Entry point of redrover-mover, a program of its own: it lives beside the databases whose keys it moves, often for
 * less than a second, so it loads nothing of the agent.
 */
import { runMoverCommand } from './mover-command.ts';

process.exit(await runMoverCommand());
