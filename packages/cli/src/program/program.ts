/** The command line as a whole: global flags, groups of commands, help, and what an exit means. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';

import manifest from '../../package.json' with { type: 'json' };
import { defineClusterCommands } from '../commands/cluster.ts';
import { defineContextCommands } from '../commands/context.ts';
import { defineHostCommands } from '../commands/host.ts';
import { defineOperationCommands } from '../commands/operation.ts';
import { defineReleaseCommands } from '../commands/release.ts';
import { defineVersionCommand } from '../commands/version.ts';
import { ExitCode } from '../exit-code.ts';
import { safeText } from '../output/safe-text.ts';
import { createStyle } from '../output/style.ts';
import type { Attach } from './define-command.ts';
import { reportError } from './report-error.ts';
import { OUTPUT_FORMATS, Session } from './session.ts';
import type { GlobalFlags, Terminal } from './session.ts';

const EXIT_CODES = `
Exit codes: 0 done, 1 failed, 2 the plan has changes, the check has findings, tuning differs, a loss
would not be survived or slots are left for a person to decide, 3 the controller cannot be reached,
64 wrong usage.`;

/** Runs one command line to its end; never throws, never exits. */
export async function runProgram(argv: readonly string[], terminal: Terminal): Promise<number> {
  let exitCode: number = ExitCode.done;
  const attach: Attach = (command, handler) => {
    command.action(async (...parameters: unknown[]) => {
      const session = new Session(globalFlags(command), terminal);
      const args = parameters
        .slice(0, -2)
        .flat()
        .filter((each) => each !== undefined) as string[];
      try {
        exitCode = await handler(session, { args, options: command.opts() });
      } finally {
        session.close();
      }
    });
  };
  const program = createProgram(terminal, attach);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : ExitCode.usage;
    return report(thrown, program, terminal);
  }
}

function createProgram(terminal: Terminal, attach: Attach): Command {
  const program = new Command('redrover')
    .description('Rolls out and runs Redis Cluster on your own hosts.')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      writeErr: (text) => terminal.stderr.write(text),
    })
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(--help after any command explains it)')
    .version(`redrover ${manifest.version}`, '-V, --version', 'print the version')
    .addOption(
      new Option('-o, --output <format>', 'format of results')
        .choices(OUTPUT_FORMATS)
        .default('table'),
    )
    .option('--context <name>', 'context to use instead of the current one')
    .option('--controller <host:port>', "the controller's API, instead of the context's")
    .option('--token-file <file>', 'token for the controller')
    .option('-y, --yes', 'approve without being asked')
    .option('--no-color', 'no colours (as NO_COLOR=1)')
    .addOption(
      new Option(
        '--timeout <seconds>',
        'time limit of a single request (default: 30, longer for what takes longer)',
      ).argParser(parseSeconds),
    )
    .addHelpText('after', EXIT_CODES);
  defineClusterCommands(program, attach);
  defineHostCommands(program, attach);
  defineReleaseCommands(program, attach);
  defineOperationCommands(program, attach);
  defineContextCommands(program, attach);
  defineVersionCommand(program, attach);
  return program;
}

function globalFlags(command: Command): GlobalFlags {
  const options = command.optsWithGlobals<{
    output: GlobalFlags['output'];
    context?: string;
    controller?: string;
    tokenFile?: string;
    yes?: boolean;
    color: boolean;
    timeout?: number;
  }>();
  return {
    output: options.output,
    context: options.context,
    controller: options.controller,
    tokenFile: options.tokenFile,
    yes: options.yes ?? false,
    color: options.color,
    timeoutMs: options.timeout === undefined ? undefined : options.timeout * 1000,
  };
}

function parseSeconds(text: string): number {
  const seconds = Number(text.replace(/s$/, ''));
  if (seconds > 0 && seconds <= 86_400) return seconds;
  throw new InvalidArgumentError('expected a number of seconds, more than 0.');
}

function report(thrown: unknown, program: Command, { stderr, env }: Terminal): number {
  const noColor = !program.opts<{ color: boolean }>().color;
  const style = createStyle({ isTerminal: stderr.isTTY, noColor, env });
  const { text, exitCode } = reportError({ thrown, style, env });
  if (text !== '') stderr.write(`${safeText(text)}\n`);
  return exitCode;
}
