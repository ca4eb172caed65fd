/** Entry point of redrover-controller: the command line, signals and exit codes. */
import 'reflect-metadata';

import { RedroverError } from '@redrover/core';
import { Command, CommanderError } from 'commander';
import { pino } from 'pino';

import manifest from '../package.json' with { type: 'json' };
import { parseListenAddress } from './lifecycle/listen-address.ts';
import { takeOver } from './lifecycle/take-over.ts';
import { runController } from './run-controller.ts';

/** sysexits.h: the command line was used wrongly. */
const EXIT_USAGE = 64;
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];

interface RunOptions {
  readonly data: string;
  readonly api: string;
  readonly agents: string;
  readonly http: string;
  readonly insecureBind: boolean;
  readonly logLevel: string;
}

function buildProgram(): Command {
  const program = new Command('redrover-controller')
    .description('Keeps hosts, releases and clusters, and runs operations on them')
    .version(manifest.version)
    .exitOverride();
  program
    .command('run')
    .description('run the controller in the foreground')
    .requiredOption('--data <dir>', 'data directory; created when it is missing')
    .option('--api <address>', 'listen for the CLI here; port 0: any free one', '127.0.0.1:7400')
    .option('--agents <address>', 'listen for agents here', '127.0.0.1:7401')
    .option('--http <address>', 'serve health and metrics here', '127.0.0.1:7402')
    .option('--insecure-bind', 'allow addresses beyond loopback, without encryption', false)
    .option('--log-level <level>', LOG_LEVELS.join(', '), 'info')
    .action(run);
  program
    .command('takeover')
    .description('after restoring a backup: become the newest controller, so that agents obey')
    .requiredOption('--data <dir>', 'data directory of the stopped controller')
    .action(async ({ data }: { data: string }) => {
      const { incarnation } = await takeOver(data);
      process.stdout.write(`incarnation is now ${incarnation}; start the controller\n`);
    });
  return program;
}

async function run(options: RunOptions): Promise<void> {
  if (!LOG_LEVELS.includes(options.logLevel)) {
    throw new RedroverError(
      'invalid-argument',
      `--log-level: expected one of ${LOG_LEVELS.join(', ')}, got "${options.logLevel}"`,
    );
  }
  const log = pino({ level: options.logLevel, base: null });
  const controller = await runController({
    data: options.data,
    api: parseListenAddress('--api', options.api),
    agents: parseListenAddress('--agents', options.agents),
    http: parseListenAddress('--http', options.http),
    insecureBind: options.insecureBind,
    log,
  });
  const signal = await nextSignal();
  log.info({ signal }, 'stopping');
  await controller.stop();
}

/** A second signal ends the process at once, as it would without a handler. */
function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, resolve);
  });
}

async function main(): Promise<number> {
  try {
    await buildProgram().parseAsync();
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
    const { code, message } = RedroverError.from(error);
    process.stderr.write(`redrover-controller: ${message}\n`);
    if (code === 'internal' && error instanceof Error) process.stderr.write(`${error.stack}\n`);
    return code === 'invalid-argument' ? EXIT_USAGE : 1;
  }
}

// Explicitly, as a stream or timer that is left over must not keep a stopped controller alive.
process.exit(await main());
