/** `redrover-mover --task DIR --record FILE`: started by the agent, not by people. */
import { parseArgs } from 'node:util';
import { RedroverError } from '@redrover/core';
import { runMover } from './run-mover.ts';

/** sysexits.h: the command line was used wrongly. */
const EXIT_USAGE = 64;

export async function runMoverCommand(): Promise<number> {
  try {
    const options = { task: { type: 'string' }, record: { type: 'string' } } as const;
    const { values } = parseArgs({ args: process.argv.slice(2), options });
    const { task, record } = values;
    if (task === undefined || record === undefined) {
      process.stderr.write('redrover-mover: --task DIR and --record FILE are required\n');
      return EXIT_USAGE;
    }
    await runMover({ task, record });
    return 0;
  } catch (thrown) {
    // The last line of the mover's log, which the agent passes on.
    const { message, code, stack } = RedroverError.from(thrown);
    if (code === 'internal') process.stderr.write(`${stack ?? ''}\n`);
    process.stderr.write(`${message}\n`);
    return 1;
  }
}
