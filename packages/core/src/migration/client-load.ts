/**
 * Whether clients are at work on the ends of a move, and how much of their time the move takes, both by the nodes' own
 * counts (`INFO commandstats`). Pure: two readings and the time between them come in. What follows for the pace is in
 * `move-pace.ts`.
 */
import { readInfoFields } from '../topology/info.ts';

/** Since the server's start, or since its counts were reset. */
export interface CommandTotals {
  readonly clientCalls: number;
  /** What everything took that no client asked for, in microseconds. */
  readonly moveUsec: number;
}

/** One end, between two readings. */
export interface EndLoad {
  readonly clientCallsPerS: number;
  /** Part of the time in which the node was busy with the move: of all movers that it has to do with. */
  readonly moveShare: number;
}

/**
 * What movers, agents, other nodes and people with a monitor ask. A script's own commands are counted beside it, so a
 * client's scripts are not missed; that CLUSTER, CONFIG and CLIENT have subcommands from 7.0 on plays no part.
 */
const NOT_OF_CLIENTS = new Set(
  (
    'migrate restore restore-asking asking dump type cluster role info ping replconf psync sync auth hello select ' +
    'readonly readwrite client config command memory eval evalsha script function dbsize scan slowlog latency ' +
    'module debug acl monitor quit reset wait bgsave bgrewriteaof lastsave save save time'
  ).split(' '),
);

/** @param text of `INFO commandstats`: `cmdstat_cluster|nodes:calls=2,usec=80,…` */
export function readCommandTotals(text: string): CommandTotals {
  let clientCalls = 0;
  let moveUsec = 0;
  for (const [name, value] of readInfoFields(text)) {
    const counted = /^calls=(\d+),usec=(\d+)/.exec(value);
    if (!name.startsWith(PREFIX) || counted === null) continue;
    const [command = ''] = name.slice(PREFIX.length).toLowerCase().split('|', 1);
    if (NOT_OF_CLIENTS.has(command)) moveUsec += Number(counted[2]);
    else clientCalls += Number(counted[1]);
  }
  return { clientCalls, moveUsec };
}

const PREFIX = 'cmdstat_';

/** Undefined when the counts began anew in between: they say nothing then. */
export function loadBetween(
  before: CommandTotals,
  after: CommandTotals,
  elapsedMs: number,
): EndLoad | undefined {
  const calls = after.clientCalls - before.clientCalls;
  const usec = after.moveUsec - before.moveUsec;
  if (calls < 0 || usec < 0 || elapsedMs <= 0) return undefined;
  return { clientCallsPerS: (calls / elapsedMs) * 1000, moveShare: usec / 1000 / elapsedMs };
}
