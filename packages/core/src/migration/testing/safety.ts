/** What must hold at every instant in the model, and at the end of a move. */
import { expect } from 'vitest';
import { KEYS, type Clients } from './clients.ts';
import type { Cluster } from './cluster.ts';
import type { Mover } from './mover.ts';
import { MOVED_SLOT, type RedisNode } from './redis-node.ts';

export interface Promises {
  /** No client ever reads anything older than the newest acknowledged write: where no replica is promoted. */
  readonly readsAreFresh: boolean;
  readonly oneServer: boolean;
}

/** All that is judged. */
export interface Stage {
  readonly cluster: Cluster;
  readonly clients: Clients;
  readonly mover: Mover;
  readonly promises: Promises;
}

/** A key that no node has: who would take it. */
const NEW_KEY = 'new';

export function assertSafe(stage: Stage): void {
  const problem = findProblem(stage);
  if (problem !== undefined) {
    throw new Error(`${problem} at ${stage.cluster.now}\n${tell(stage)}`);
  }
}

/** One sentence, or undefined. */
export function findProblem(stage: Stage): string | undefined {
  return findSecondServer(stage) ?? findLostKey(stage) ?? findStaleRead(stage);
}

/** In the eyes of clients a key is served by one node at the most. */
function findSecondServer({ cluster, promises }: Stage): string | undefined {
  if (!promises.oneServer) return undefined;
  for (const key of [...KEYS, NEW_KEY]) {
    const servers = [...cluster.nodes.values()].filter(
      (node) => cluster.serves(node) && servesKey(node, key),
    );
    if (servers.length > 1) {
      return `key ${key} is served by ${servers.map(({ id }) => id).join(' and ')}`;
    }
  }
  return undefined;
}

/** The owner serves what it has; what it lacks it serves only while it is not MIGRATING. */
function servesKey(node: RedisNode, key: string): boolean {
  return node.owns(MOVED_SLOT) && (node.migratingTo === undefined || node.keys.has(key));
}

function findLostKey(stage: Stage): string | undefined {
  const { cluster, clients } = stage;
  if (cluster.lostAfterHandover > 0) return 'keys were lost that their owner had not replicated';
  for (const [key, { version, deleted }] of clients.acknowledged) {
    if (deleted || mayBeAbsent(stage, key, version)) continue;
    const isSomewhere = [...cluster.nodes.values()].some(
      ({ keys }) => (keys.get(key) ?? 0) >= version,
    );
    if (!isSomewhere) return `key ${key} is lost: version ${version} was acknowledged`;
  }
  return undefined;
}

/** It died with a target before its replica had it, or a deletion happened whose client never heard of it. */
function mayBeAbsent({ cluster, clients }: Stage, key: string, version: number): boolean {
  const unreplicated = cluster.unreplicated.get(key) ?? 0;
  return unreplicated >= version || (clients.deletions.get(key) ?? 0) > version;
}

/** A key whose answer was lost, and that a client deletes then, is seen on the target until it is sent again. */
function findStaleRead({ clients, mover, promises }: Stage): string | undefined {
  if (!promises.readsAreFresh) return undefined;
  const read = clients.staleReads.find(
    ({ key, hasReappeared }) => !(hasReappeared && mover.doubted.has(key)),
  );
  return read?.text;
}

/** The slot is where it shall be, in every view, closed, and every acknowledged write is there. */
export function assertMoved(stage: Stage): void {
  const { cluster, mover } = stage;
  const end = mover.end?.kind === 'done' && mover.end.moved ? 'moved' : JSON.stringify(mover.end);
  expect(`${tell(stage)}\n${end}`).toMatch(/\nmoved$/);
  assertOwned(stage, cluster.masterOf('t'));
}

/** The slot is with either of the two, as the mover says; else as `assertMoved`. */
export function assertClosed(stage: Stage): void {
  const { cluster, mover } = stage;
  expect(`${tell(stage)}\n${mover.end?.kind}`).toMatch(/\ndone$/);
  const isMoved = mover.end?.kind === 'done' && mover.end.moved;
  assertOwned(stage, cluster.masterOf(isMoved ? 't' : 's'));
}

function assertOwned(stage: Stage, owner: RedisNode): void {
  const { cluster, clients } = stage;
  for (const node of cluster.nodes.values()) {
    const seen = `${node.id} sees ${node.table.get(MOVED_SLOT)}`;
    expect(`${tell(stage)}\n${seen}`).toMatch(new RegExp(`\\n${node.id} sees ${owner.id}$`));
    expect([node.migratingTo, node.importingFrom]).toEqual([undefined, undefined]);
  }
  for (const [key, { version, deleted }] of clients.acknowledged) {
    if (mayBeAbsent(stage, key, version)) continue;
    const there = owner.keys.get(key);
    if (!deleted) expect({ key, version: there ?? 0 }).toSatisfy(hasAtLeast(version));
  }
}

/** Keys that are back although their deletion was acknowledged. */
export function findReappeared({ cluster, clients }: Stage): string[] {
  const owner = cluster.masterOf('t');
  return [...clients.acknowledged].flatMap(([key, { version, deleted }]) => {
    const there = owner.keys.get(key);
    return deleted && there !== undefined && there < version ? [key] : [];
  });
}

function hasAtLeast(version: number) {
  return (held: { version: number }) => held.version >= version;
}

/** The last of what happened, in order. */
export function tell({ cluster, mover }: Stage): string {
  const timeOf = (line: string) => Number.parseInt(line, 10);
  const lines = [...cluster.notes, ...mover.actions];
  return lines
    .sort((a, b) => timeOf(a) - timeOf(b))
    .slice(-50)
    .join('\n');
}
