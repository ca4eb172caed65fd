/** `redrover version`. */
import type { Command } from 'commander';

import manifest from '../../package.json' with { type: 'json' };
import { ExitCode } from '../exit-code.ts';
import type { Attach } from '../program/define-command.ts';

export function defineVersionCommand(program: Command, attach: Attach): void {
  attach(
    program.command('version').description('print the version of redrover'),
    async ({ output }) => {
      output.result({ version: manifest.version }, () => `redrover ${manifest.version}`);
      return ExitCode.done;
    },
  );
}
