/** The playground's command line. */
import { Command, InvalidArgumentError, Option } from 'commander';

export interface PlaygroundOptions {
  readonly hosts: number;
  readonly shards: number;
  readonly replicas: number;
  readonly release: string;
  /** Undefined: `playground`, or the next free `playground-2`, … */
  readonly name: string | undefined;
  readonly detach: boolean;
}

export type PlaygroundCommand =
  | { readonly kind: 'start'; readonly options: PlaygroundOptions }
  | { readonly kind: 'status'; readonly json: boolean }
  | { readonly kind: 'down'; readonly name: string | undefined };

/** Not the newest: what the archives of current stable distributions hold too. */
export const DEFAULT_RELEASE = 'redis-7.0.15';

// Loopback addresses of the hosts begin at 127.0.0.11; more would run out of the last byte.
const MAX_HOSTS = 200;

/** Errors: commander's, for a command line that is none of ours. */
export function parsePlaygroundCommand(
  argv: readonly string[],
  write: (text: string) => void,
): PlaygroundCommand {
  let command: PlaygroundCommand | undefined;
  const program = new Command('npm run playground --')
    .description('Starts a controller, hosts and a Redis Cluster on this machine, to play with.')
    .exitOverride()
    .configureOutput({ writeOut: write, writeErr: write })
    .option('--hosts <n>', 'hosts, on 127.0.0.11 and up', wholeNumber(1, MAX_HOSTS), 3)
    .option('--shards <n>', 'masters', wholeNumber(1, 1000), 3)
    .option('--replicas <n>', 'replicas of each master', wholeNumber(0, 5), 1)
    .option('--release <release>', 'name of a release, apt:PACKAGE, or an archive', DEFAULT_RELEASE)
    .addOption(nameOption())
    .option('--detach', 'go on in the background; `down` stops it')
    .action((_, { args }: Command) => {
      if (args.length > 0) program.error(`error: unknown command '${args.join(' ')}'`);
      command = { kind: 'start', options: toOptions(program.opts()) };
    });
  program
    .command('status')
    .description('what is running')
    .option('--json', 'for scripts')
    .action(({ json }: { json?: boolean }) => {
      command = { kind: 'status', json: json === true };
    });
  program
    .command('down')
    .description('stop all playgrounds and remove what they left, or only the one with --name')
    .action(() => {
      command = { kind: 'down', name: program.opts<{ name?: string }>().name };
    });
  program.parse([...argv], { from: 'user' });
  // The only way to get here without an action is an exit that exitOverride has turned into a throw.
  if (command === undefined) throw new TypeError('no action was run');
  return command;
}

function nameOption(): Option {
  return new Option(
    '--name <name>',
    'name of the cluster, the context and the playground',
  ).argParser((text) => {
    if (/^[a-z][a-z0-9-]{0,40}$/.test(text)) return text;
    throw new InvalidArgumentError('expected a-z, 0-9 and "-", starting with a letter.');
  });
}

interface RawOptions extends Omit<PlaygroundOptions, 'detach' | 'name'> {
  readonly name?: string;
  readonly detach?: boolean;
}

function toOptions(raw: RawOptions): PlaygroundOptions {
  return { ...raw, name: raw.name, detach: raw.detach === true };
}

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`expected a whole number from ${least} to ${most}.`);
  };
}
