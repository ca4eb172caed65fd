/** `npm run lab`: a lab for a person. One terminal holds it, others tell it what to do. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';

import { askLab, openControl } from './control.ts';
import { CONTROLLER, Lab } from './lab.ts';
import { installMissingPackages } from './packages.ts';
import { reasonToSkipLab } from './skip-reason.ts';
import { verbs } from './verbs.ts';

interface UpOptions {
  readonly hosts: number;
  readonly diskMb: number;
  readonly zones: readonly string[];
  readonly controller: boolean;
  readonly durability: boolean;
  readonly clock: boolean;
}

/** What `shell` and `redrover` need to run a program of theirs on a host. */
interface Entry {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const EXIT_UNAVAILABLE = 69;

const program = new Command('npm run lab --')
  .description(
    'Hosts to crash, cut off and fill up, in namespaces of this machine. Root only.\n' +
      'Without a command a lab comes up and stays until Ctrl-C, which leaves nothing of it.\n' +
      'The other commands tell it what to do, from another terminal.',
  )
  .option('--hosts <count>', 'hosts for Redis: h1, h2, …', positive, 6)
  .option('--zones <names>', 'labels zone=… for the hosts, in turn, such as a,b,c', list, [])
  .option('--disk-mb <size>', 'size of each disk, in memory as far as it is used', positive, 1_024)
  .option('--no-controller', 'bare hosts: no controller, no agents')
  .option('--durability', 'make power-cut possible', false)
  .option('--clock', 'make clock possible', false)
  .enablePositionalOptions()
  .action(up);

for (const verb of verbs) {
  const command = program.command(`${verb.name} ${verb.args}`.trim()).description(verb.about);
  command.action(async () => {
    process.stdout.write(`${await askLab({ verb: verb.name, args: command.args })}\n`);
  });
}

program
  .command('shell <host>')
  .description('a shell on a host, as root')
  .action(async (host: string) => {
    // A terminal of the host's own: the one here belongs to processes that the host cannot see.
    const shell = ['sh', '-c', 'cd; exec script -qefc "exec bash -l" /dev/null'];
    await enter(host, process.stdin.isTTY ? shell : ['bash']);
  });

program
  .command('redrover [args...]')
  .description('redrover against the controller of the lab')
  .passThroughOptions()
  .helpOption(false)
  .allowUnknownOption()
  .action(async (args: string[]) => enter(CONTROLLER, ['redrover', ...args]));

async function up(options: UpOptions): Promise<void> {
  await installMissingPackages();
  const reason = await reasonToSkipLab();
  if (reason !== '') {
    process.stderr.write(`no lab can run here: ${reason}\n`);
    process.exitCode = EXIT_UNAVAILABLE;
    return;
  }
  const ending = nextSignal();
  // Half of Redrover comes with it; the commands for a running lab are quick without.
  const { obtainBuiltRelease } = await import('../support/built-release.ts');
  await obtainBuiltRelease();
  const lab = await Lab.start({ ...options, withController: options.controller });
  try {
    const control = await openControl(async ({ verb, args }) => obey(lab, verb, args));
    try {
      process.stdout.write(await welcome(lab));
      await ending;
    } finally {
      await control.close();
    }
  } finally {
    await lab.stop();
  }
  process.stdout.write('\nThe lab is gone.\n');
}

async function obey(lab: Lab, name: string, args: readonly string[]): Promise<string> {
  if (name === 'enter') {
    const [host = '', command = '', ...rest] = args;
    const argv = command === 'redrover' ? lab.redroverCommand(rest) : [command, ...rest];
    const entry: Entry = { argv: lab.host(host).enter(argv), env: lab.redroverEnvironment() };
    return JSON.stringify(entry);
  }
  const verb = verbs.find((each) => each.name === name);
  if (verb === undefined) throw new Error(`the lab does not know "${name}"`);
  return verb.run(lab, args);
}

async function welcome(lab: Lab): Promise<string> {
  const hosts = await verbs.find(({ name }) => name === 'hosts')?.run(lab, []);
  return `${hosts}

In another terminal:
  npm run lab -- shell h1                  a shell on a host
  npm run lab -- redrover host ls          redrover against this lab
  npm run lab -- crash h1                  and: boot, isolate, partition, heal, …
  npm run lab -- --help                    all that it can do

The release is ${lab.release}. Ctrl-C ends the lab and leaves nothing of it.
`;
}

/** Runs a program on a host of the running lab, in this terminal. */
async function enter(host: string, command: readonly string[]): Promise<void> {
  const answer = await askLab({ verb: 'enter', args: [host, ...command] });
  const { argv, env } = JSON.parse(answer) as Entry;
  const [program = '', ...args] = argv;
  // Ctrl-C is for the program there.
  process.on('SIGINT', () => {});
  const terminal = { TERM: process.env['TERM'] ?? 'dumb' };
  const child = spawn(program, args, { stdio: 'inherit', env: { ...env, ...terminal } });
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  process.exitCode = code ?? 128 + constants.signals[signal ?? 'SIGKILL'];
}

/** All further ones change nothing: the lab is ending then. */
async function nextSignal(): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => resolve());
  });
}

function positive(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw new InvalidArgumentError('expected a whole number above 0');
}

function list(text: string): string[] {
  return text.split(',').filter((part) => part !== '');
}

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
