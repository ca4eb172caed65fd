/** Entry point of `npm run playground`. */
import { CommanderError } from 'commander';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

import { ExitCode } from '../exit-code.ts';
import { Output } from '../output/output.ts';
import { reportError } from '../program/report-error.ts';
import { findPrograms } from '../stack/programs.ts';
import { listInstances, playgroundsDirectory } from './instance.ts';
import { parsePlaygroundCommand } from './options.ts';
import { startPlayground } from './start.ts';
import { renderInstances } from './status.ts';
import { stopInstance } from './stop.ts';

const { env, stdout, stderr } = process;
const output = new Output({ stdout, stderr, env, format: 'table', noColor: false });

async function run(argv: readonly string[]): Promise<number> {
  const command = parsePlaygroundCommand(argv, (text) => void stderr.write(text));
  const playgrounds = playgroundsDirectory(env);
  // The bundle lies beside the programs that it starts.
  const programs = findPrograms(dirname(fileURLToPath(import.meta.url)));
  switch (command.kind) {
    case 'start':
      return startPlayground({ playgrounds, programs, terminal: process }, command.options);
    case 'status': {
      const instances = listInstances(playgrounds);
      output.print(
        command.json ? JSON.stringify(instances) : renderInstances(instances, output.view),
      );
      return ExitCode.done;
    }
    case 'down':
      return takeDown(command.name);
  }

  async function takeDown(name: string | undefined): Promise<number> {
    const instances = listInstances(playgrounds).filter(
      (each) => name === undefined || each.name === name,
    );
    if (instances.length === 0) {
      output.note(
        name === undefined ? 'No playground is running.' : `There is no playground ${name}.`,
      );
      return ExitCode.done;
    }
    for (const instance of instances) {
      output.note(`Stopping ${instance.name}...`);
      await stopInstance({ instance, programs, env });
    }
    output.note('Everything is stopped.');
    return ExitCode.done;
  }
}

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (thrown) {
  if (thrown instanceof CommanderError) {
    process.exitCode = thrown.exitCode === 0 ? ExitCode.done : ExitCode.usage;
  } else {
    const { text, exitCode } = reportError({ thrown, style: output.notes.style, env });
    output.note(text);
    process.exitCode = exitCode;
  }
}
