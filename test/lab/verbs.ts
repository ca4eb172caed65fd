/** What a person may tell a running lab, by name: `npm run lab -- crash h2`. */
import { CLIENT, CONTROLLER } from './lab.ts';
import type { Lab } from './lab.ts';

export interface Verb {
  readonly name: string;
  /** As commander reads them: `<host>`, `[host]`. */
  readonly args: string;
  readonly about: string;
  readonly run: (lab: Lab, args: readonly string[]) => Promise<string>;
}

/** Every argument that a verb asks for is there: commander has seen to that. */
const first = (args: readonly string[]): string => args[0] ?? '';

export const verbs: readonly Verb[] = [
  {
    name: 'hosts',
    args: '',
    about: 'list the hosts',
    run: async (lab) =>
      [CONTROLLER, CLIENT, ...lab.hostNames]
        .map((host) => `${host}\t${lab.addressOf(host)}\t${lab.isUp(host) ? 'up' : 'down'}`)
        .join('\n'),
  },
  {
    name: 'crash',
    args: '<host>',
    about: 'kill everything on a host at once; what was written stays on its disk',
    run: async (lab, args) => {
      await lab.crash(first(args));
      return `${first(args)} is down; boot it with: npm run lab -- boot ${first(args)}`;
    },
  },
  {
    name: 'power-cut',
    args: '<host>',
    about: 'a crash that also takes what was not synced (labs with --durability)',
    run: async (lab, args) => {
      const lost = await lab.powerCut(first(args));
      const lines = lost.map(
        ({ path, wasBytes, isBytes }) => `${path}: ${wasBytes} -> ${isBytes} bytes`,
      );
      return [`${first(args)} is down; put back:`, ...lines].join('\n');
    },
  },
  {
    name: 'boot',
    args: '<host> [address]',
    about: 'boot a host that is down, with another address if wanted; its agent starts',
    run: async (lab, args) => {
      const [host = '', address] = args;
      await lab.boot(host, address === undefined ? {} : { address });
      return `${host} is up as ${lab.addressOf(host)}`;
    },
  },
  {
    name: 'isolate',
    args: '<host>',
    about: 'cut a host off from all others',
    run: async (lab, args) => {
      await lab.isolate(first(args));
      return `${first(args)} is cut off; end that with: npm run lab -- heal`;
    },
  },
  {
    name: 'partition',
    args: '<hosts> <hosts>',
    about: 'part two groups of hosts, such as: partition h1,h2 h3',
    run: async (lab, [one = '', other = '']) => {
      await lab.partition(one.split(','), other.split(','));
      return `${one} and ${other} do not reach each other; end that with: npm run lab -- heal`;
    },
  },
  {
    name: 'heal',
    args: '[host]',
    about: 'everybody reaches everybody, or the host, again',
    run: async (lab, [host]) => {
      await lab.heal(host);
      return 'healed';
    },
  },
  {
    name: 'fill-disk',
    args: '<host>',
    about: "let a host's disk be full",
    run: async (lab, args) => {
      await lab.fillDisk(first(args));
      return `the disk of ${first(args)} is full; end that with: npm run lab -- free-disk`;
    },
  },
  {
    name: 'free-disk',
    args: '<host>',
    about: 'give the disk its size back',
    run: async (lab, args) => {
      await lab.freeDisk(first(args));
      return `the disk of ${first(args)} has room again`;
    },
  },
  {
    name: 'clock',
    args: '<host> <seconds>',
    about: "move a host's time of day by so much (labs with --clock); 0: back",
    run: async (lab, [host = '', seconds]) => {
      const offsetSeconds = Number(seconds);
      if (!Number.isFinite(offsetSeconds)) throw new Error(`"${seconds}" is not a number`);
      await lab.setClock(host, offsetSeconds);
      return `the clock of ${host} is off by ${offsetSeconds} s`;
    },
  },
  {
    name: 'kill-agent',
    args: '<host>',
    about: 'kill the agent of a host; its nodes run on',
    run: async (lab, args) => {
      await lab.killAgent(first(args));
      return `the agent of ${first(args)} is dead`;
    },
  },
  {
    name: 'start-agent',
    args: '<host>',
    about: 'start the agent of a host',
    run: async (lab, args) => {
      await lab.startAgent(first(args));
      return `the agent of ${first(args)} starts`;
    },
  },
  {
    name: 'kill-controller',
    args: '',
    about: 'kill the controller',
    run: async (lab) => {
      await lab.killController();
      return 'the controller is dead';
    },
  },
  {
    name: 'start-controller',
    args: '',
    about: 'start the controller',
    run: async (lab) => {
      await lab.startController();
      return 'the controller listens';
    },
  },
  {
    name: 'log',
    args: '<program>',
    about: 'what `controller` or an agent (`agent-h1`) has said',
    run: async (lab, args) => lab.logOf(first(args)).trimEnd(),
  },
];
