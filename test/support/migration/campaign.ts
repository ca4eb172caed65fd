/**
 * A crash campaign: slots are moved back and forth under a live writer while something is killed again and
 * again at random moments; then everything that was acknowledged is read back. What is killed, and what may
 * get lost by it, is the business of whoever starts one.
 */
import { appendFileSync, cpSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import type { FinalReport } from '../live-writer/protocol.ts';
import { MixedData, type LostKey } from './mixed-data.ts';
import { isMoving, pairOf, type MoveCluster, type OperationDetails } from './move-cluster.ts';
import type { Random } from './random.ts';
import { heldTwice, undecidedSlots } from './undecided.ts';

export interface Kill {
  /** For the report: `mover`, `server h1:6379`. */
  readonly name: string;
  readonly fromMs: number;
  /** When it was back, or gone for good. */
  readonly untilMs: number;
  /** Whether clients may be told of it: a node was away. */
  readonly isOutage: boolean;
}

export interface CampaignOptions {
  readonly cluster: MoveCluster;
  readonly random: Random;
  /** That `random` was made from. */
  readonly seed: number;
  readonly kills: number;
  readonly counts: 'acknowledged' | 'replicated';
  /** Of the operations: how slots are moved. */
  readonly move: readonly string[];
  readonly mixedKeys: number;
  /** At a random moment of a move, or just beside it. Answers when whoever was killed is back. */
  readonly kill: (moving: readonly MovingPair[]) => Promise<Kill>;
}

export interface MovingPair {
  readonly source: string;
  readonly target: string;
}

export interface CampaignReport {
  readonly kills: readonly Kill[];
  readonly operations: readonly OperationDetails[];
  readonly writer: FinalReport;
  /** Of the data that nobody wrote to. */
  readonly lostData: readonly LostKey[];
  /** Errors that reached the application while no node was away. */
  readonly strangeErrors: readonly string[];
  /** What the product itself says of keys that may be lost. */
  readonly notes: readonly string[];
  /** Slots that were left to a person, as two nodes have different copies of a key. */
  readonly undecided: ReadonlySet<number>;
  /** Of the keys that the writer could not read as it left them: those that are there twice, for a person to decide. */
  readonly heldTwice: ReadonlySet<string>;
  /** What kept an operation from its end, or the cluster from being whole; what was written is read back all the same. */
  readonly troubles: readonly string[];
}

/** After the last kill, with what was to move on a slow disk that forces each write. */
const END_TIMEOUT_MS = 420_000;
const WHOLE_TIMEOUT_MS = 120_000;
/** Clients need a moment to find a node again that has come back. */
const RECOVERY_MS = 4_000;
const SHARDS = ['s1', 's2', 's3'];
const MAX_PAUSE_MS = 1_200;

export async function runCampaign(options: CampaignOptions): Promise<CampaignReport> {
  const { cluster, seed } = options;
  // At once, and not with the result: there may be none.
  process.stderr.write(
    `${cluster.release.name}: a campaign of ${options.kills} kills, seed ${seed}\n`,
  );
  note(cluster, `seed ${seed}`);
  const client = cluster.connect();
  try {
    const data = await MixedData.write(client, { keys: options.mixedKeys });
    const writer = await cluster.write({ prefix: 'live', counts: options.counts });
    try {
      const { kills, operations, troubles } = await killAndMove(options);
      const undecided = undecidedSlots(operations);
      const ready =
        undecided.size === 0 ? cluster.untilWhole(WHOLE_TIMEOUT_MS) : cluster.untilServing();
      await ready.catch((error: unknown) => {
        troubles.push(explain(error));
      });
      for (const trouble of troubles) note(cluster, trouble);
      const report = await writer.stop();
      const lostData = await data.findLost(client);
      return {
        kills,
        operations,
        writer: report,
        lostData,
        strangeErrors: findStrangeErrors(report, kills),
        notes: notesOf(operations),
        undecided,
        heldTwice: await heldTwice(cluster, report.lost, undecided),
        troubles,
      };
    } finally {
      writer.kill();
    }
  } catch (error) {
    keepFiles(cluster);
    throw error;
  } finally {
    client.disconnect();
  }
}

/** Operations follow each other until enough was killed; the last one comes to its end in peace. */
async function killAndMove(options: CampaignOptions) {
  const { cluster, random } = options;
  const kills: Kill[] = [];
  const operations: OperationDetails[] = [];
  const troubles: string[] = [];
  let killTick = 0;
  while (kills.length < options.kills) {
    const change = nextMove(random);
    const id = await cluster.begin(...change, ...options.move);
    note(cluster, `${id} begins: ${change.join(' ')}`);
    if (id === undefined) continue;
    const end = cluster.endOf(id, { timeoutMs: END_TIMEOUT_MS, sinceTick: () => killTick });
    // Whoever waits for it is told below.
    end.catch(() => {});
    const ended = new AbortController();
    const noteEnd = (): void => ended.abort();
    void end.then(noteEnd, noteEnd);
    while (kills.length < options.kills) {
      await delay(random.integer(0, MAX_PAUSE_MS));
      if (ended.signal.aborted) break;
      const kill = await options.kill(await movingPairs(cluster, id));
      killTick = performance.now();
      kills.push(kill);
      note(cluster, `${kills.length}: ${kill.name}, back after ${kill.untilMs - kill.fromMs} ms`);
    }
    try {
      operations.push(await end);
    } catch (error) {
      troubles.push(explain(error));
      break;
    }
    note(cluster, `${id} is ${(await end).operation.state}`);
  }
  return { kills, operations, troubles };
}

function explain(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
}

/** Sometimes to one shard, sometimes by weights, so that every node is a source and a target in turn. */
function nextMove(random: Random): string[] {
  if (random.chance(0.3)) {
    const start = random.integer(0, 14_000);
    const slots = `${start}-${start + random.integer(500, 2_000)}`;
    return ['move-slots', '--slots', slots, '--to', random.pick(SHARDS)];
  }
  const weights = SHARDS.map((shard) => `${shard}=${random.integer(1, 6)}`).join(',');
  return ['rebalance', '--weights', weights];
}

/** Empty while the controller is away, or nothing is on its way yet. */
async function movingPairs(cluster: MoveCluster, id: string): Promise<MovingPair[]> {
  try {
    return (await cluster.details(id)).attempts.filter(isMoving).map(pairOf);
  } catch {
    return [];
  }
}

function findStrangeErrors({ errors }: FinalReport, kills: readonly Kill[]): string[] {
  const outages = kills.filter(({ isOutage }) => isOutage);
  return errors
    .filter(
      ({ atMs }) =>
        !outages.some(({ fromMs, untilMs }) => atMs >= fromMs && atMs <= untilMs + RECOVERY_MS),
    )
    .map(({ kind, command, message, atMs }) => {
      const before = kills.findLast(({ fromMs }) => fromMs <= atMs);
      const since = before === undefined ? '' : `, ${atMs - before.fromMs} ms after ${before.name}`;
      return `${kind} of ${command}: ${message}${since}`;
    });
}

function notesOf(operations: readonly OperationDetails[]): string[] {
  return operations.flatMap(({ attempts }) => attempts.flatMap(({ move }) => move?.notes ?? []));
}

/** Beside the logs of the programs, for whoever has to find out what went wrong. */
function note({ stack }: MoveCluster, text: string): void {
  const line = `${new Date().toISOString()} ${text}\n`;
  appendFileSync(join(stack.directory, 'campaign.log'), line);
}

/** `REDROVER_CAMPAIGN_KEEP=DIRECTORY`: logs and movers' files of a campaign that went wrong. */
export function keepFiles({ stack }: MoveCluster): void {
  const into = process.env['REDROVER_CAMPAIGN_KEEP'];
  if (!into) return;
  cpSync(stack.directory, join(into, `campaign-${Date.now()}`), {
    recursive: true,
    filter: (path) => !/appendonlydir|\.rdb$|\.aof$|releases|\.sock$/.test(path),
  });
}

/** One line for people. */
export function summarizeCampaign(report: CampaignReport): string {
  const byName = Map.groupBy(report.kills, ({ name }) => name.split(' ')[0] ?? name);
  const kills = [...byName].map(([name, all]) => `${all.length} ${name}`).join(', ');
  const { acknowledged, lost, unread, errorCount, misses } = report.writer;
  return (
    `${report.kills.length} kills (${kills}) in ${report.operations.length} operations: ` +
    `${acknowledged} writes acknowledged, ${lost.length} lost, ${unread} unread, ` +
    `${report.heldTwice.size} of them held twice in ${report.undecided.size} slots left to a person, ` +
    `${misses.length} missed meanwhile, ${report.lostData.length} of the data at rest lost, ` +
    `${errorCount} errors at clients (${report.strangeErrors.length} while no node was away)` +
    report.troubles.map((trouble) => `; ${trouble}`).join('')
  );
}
