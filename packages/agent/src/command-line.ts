/** The command line of redrover-agent: its commands, signals and exit codes. */
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { isIP } from 'node:net';
import { RedroverError } from '@redrover/core';
import { Command, CommanderError } from 'commander';
import { destination, pino, type Logger } from 'pino';

import manifest from '../package.json' with { type: 'json' };
import { releaseNode, stopNodes } from './by-hand.ts';
import { runAgent } from './run-agent.ts';
import { becomeSmall } from './small-process.ts';

/** sysexits.h: the command line was used wrongly. */
const EXIT_USAGE = 64;
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];
const DEFAULT_ROOT = '/usr/local/redis';

interface RunOptions {
  readonly host: string;
  readonly address: string;
  readonly controller: string;
  readonly root: string;
  readonly tokenFile: string;
  readonly label: readonly string[];
  readonly cache?: string;
  readonly redisUser: string;
  readonly buildUser: string;
  readonly logLevel: string;
}

function buildProgram(): Command {
  const program = new Command('redrover-agent')
    .description('Runs Redis nodes on this host, as a redrover-controller asks it to')
    .version(manifest.version)
    .exitOverride();
  program
    .command('run')
    .description('run the agent in the foreground; ending it leaves the nodes running')
    .requiredOption('--host <name>', 'unique name of this host: 1 to 63 of a-z 0-9 - .')
    .requiredOption('--address <ip>', 'what nodes bind to and other hosts reach')
    .requiredOption('--controller <host:port>', "the controller's listener for agents")
    .requiredOption('--token-file <file>', "copy of the controller's agent-token")
    .option('--root <dir>', 'nodes, builds and state live below it', DEFAULT_ROOT)
    .option('--label <key=value...>', 'labels of the host, such as zone=a', [])
    .option('--cache <dir>', 'where sources and builds are cached')
    .option('--redis-user <name>', 'as root: the user that nodes run as', 'redis')
    .option('--build-user <name>', 'as root: the user that compilers run as', 'redrover-build')
    .option('--log-level <level>', LOG_LEVELS.join(', '), 'info')
    .action(run);
  program
    .command('stop-nodes')
    .description('stop every node of a root gracefully, while no agent runs on it')
    .option('--root <dir>', 'the root of the agent', DEFAULT_ROOT)
    .action(async ({ root }: { root: string }) => {
      const lines = await stopNodes(checkRoot(root), createLog('warn'));
      for (const line of lines) process.stdout.write(`${line}\n`);
    });
  program
    .command('release-node <port>')
    .description('let a node start that the stale-master guard holds; its replicas may lose data')
    .option('--root <dir>', 'the root of the agent', DEFAULT_ROOT)
    .action(async (port: string, { root }: { root: string }) => {
      await releaseNode(checkRoot(root), parsePort(port));
      process.stdout.write(`the agent starts the node on port ${port} within seconds\n`);
    });
  return program;
}

async function run(options: RunOptions): Promise<void> {
  const { host, address, controller, redisUser, buildUser, tokenFile } = options;
  const log = createLog(options.logLevel);
  const root = checkRoot(options.root);
  const labels = parseLabels(options.label);
  if (!/^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/.test(host)) {
    throw usage(`--host: expected 1 to 63 of a-z 0-9 - ., got ${JSON.stringify(host)}`);
  }
  if (isIP(address) === 0) throw usage(`--address: expected an IP address, got "${address}"`);
  if (!/^.+:\d{1,5}$/.test(controller)) {
    throw usage(`--controller: expected host:port, got "${controller}"`);
  }
  // What is secret has a mode of its own; the nodes' user must get to its directories and binaries.
  process.umask(0o022);
  becomeSmall();
  const ending = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      log.info({ signal }, 'the agent ends; its nodes run on');
      ending.abort();
    });
  }
  const cache = options.cache ?? defaultCache();
  const { version } = manifest;
  const place = { host, address, labels, root, cache };
  const users = { redisUser, buildUser };
  await runAgent({ ...place, ...users, controller, tokenFile, version, log }, ending.signal);
}

function createLog(level: string): Logger {
  if (!LOG_LEVELS.includes(level)) {
    throw usage(`--log-level: expected one of ${LOG_LEVELS.join(', ')}, got "${level}"`);
  }
  return pino({ level, base: null }, destination(2));
}

function checkRoot(root: string): string {
  if (isAbsolute(root)) return join(root, '.').replace(/(.)\/$/, '$1');
  throw usage(`--root: expected an absolute path, got "${root}"`);
}

function parsePort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw usage(`expected a port from 1 to 65535, got "${text}"`);
}

function parseLabels(labels: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    labels.map((label) => {
      const equals = label.indexOf('=');
      if (equals < 1) throw usage(`--label: expected key=value, got "${label}"`);
      return [label.slice(0, equals), label.slice(equals + 1)];
    }),
  );
}

function defaultCache(): string {
  if (process.getuid?.() === 0) return '/var/cache/redrover';
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'redrover');
}

function usage(message: string): RedroverError {
  return new RedroverError('invalid-argument', message);
}

export async function runCommandLine(): Promise<number> {
  try {
    await buildProgram().parseAsync();
    return 0;
  } catch (thrown) {
    // Commander has printed its own message already.
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : EXIT_USAGE;
    const error = RedroverError.from(thrown);
    process.stderr.write(`redrover-agent: ${error.message}\n`);
    if (error.code === 'internal') process.stderr.write(`${error.stack ?? ''}\n`);
    return error.code === 'invalid-argument' ? EXIT_USAGE : 1;
  }
}
