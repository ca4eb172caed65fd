/**
 * What becomes of movers in tests: they get any part of the way, leave a slot half open, or go on
 * by themselves after the controller that sent them is gone.
 */
import type { NodeKey } from '../../model/layout.ts';
import type { MoverObservation } from '../../model/migration.ts';
import type { Observation, ViewNode } from '../../model/observation.ts';
import { countSlots, type SlotRange } from '../../model/slots.ts';
import type { MoveSlotsStep } from '../../model/step.ts';
import { intersectSlots } from '../shards.ts';
import { changeNode, changeSelf } from '../simulate-start.ts';
import { applyMove } from '../simulate-moves.ts';
import type { Fate } from './fate.ts';

/** 0 to 1, exclusive; the same series for the same seed. */
export type Luck = () => number;

/** Numerical Recipes' linear congruence: any would do. */
export function luckOf(seed: number): Luck {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

type Pair = Pick<MoveSlotsStep, 'source' | 'target' | 'slots'>;

export function playMove(
  truth: Observation,
  step: MoveSlotsStep,
  { fate, luck }: { readonly fate: Fate; readonly luck: Luck },
): Observation {
  switch (fate) {
    case 'ok':
    case 'done-but-failed':
      return withoutMover(applyMove(truth, step), step);
    case 'cut-off':
      return withMover(truth, step);
    case 'failed':
      return withoutMover(movePart(truth, step, luck), step);
    case 'never-begun':
      return truth;
  }
}

/** Movers that nobody holds on to: each gets on, ends, or dies with a slot half way. */
export function playMovers(truth: Observation, luck: Luck): Observation {
  let after = truth;
  for (const { movers } of Object.values(truth.hosts)) {
    for (const mover of movers) {
      const pair = pairOf(after, mover);
      const fortune = luck();
      if (pair === undefined || fortune < 0.3) after = dropMover(after, mover);
      if (pair === undefined) continue;
      if (fortune < 0.15) after = movePart(after, pair, luck);
      else if (fortune < 0.3) after = applyMove(after, pair);
      else if (fortune < 0.6) after = movePart(after, pair, () => luck() * 0.3, false);
    }
  }
  return after;
}

/** How long open slots have been left alone: not at all while a mover works on the node. */
export function watchOpenSlots(truth: Observation, ms: number): Observation {
  const busy = new Set(
    Object.values(truth.hosts).flatMap(({ movers }) =>
      movers.flatMap(({ source, target }) => [source, target]),
    ),
  );
  let after = truth;
  for (const { key, redis } of Object.values(truth.nodes)) {
    const self = redis?.view.nodes.find(({ nodeId }) => nodeId === redis.nodeId);
    if (redis === undefined || self === undefined) continue;
    const isOpen = self.migrating.length + self.importing.length > 0;
    const openSlotsQuietMs = isOpen && !busy.has(key) ? redis.openSlotsQuietMs + ms : 0;
    after = changeNode(after, key, (node) => ({ ...node, redis: { ...redis, openSlotsQuietMs } }));
  }
  return after;
}

/** Some of the slots, in order; the next one stays open, with a key of it at the target already. */
function movePart(truth: Observation, pair: Pair, luck: Luck, leavesOpen = true): Observation {
  const owned = intersectSlots(slotsOf(truth, pair.source.node), pair.slots);
  const count = Math.floor(luck() * countSlots(owned));
  const moved = applyMove(truth, pair, firstSlots(owned, count));
  const next = firstSlots(owned, count + 1).at(-1)?.end;
  if (next === undefined || !leavesOpen) return moved;
  return openSlot(moved, pair, next);
}

/** Half way: MIGRATING and IMPORTING are set, and a key is at the target. */
export function openSlot(truth: Observation, { source, target }: Pair, slot: number): Observation {
  const from = truth.nodes[source.node]?.redis;
  const to = truth.nodes[target.node]?.redis;
  if (from?.nodeId !== source.nodeId || to?.nodeId !== target.nodeId) return truth;
  if (from.role !== 'master' || to.role !== 'master') return truth;
  if (!slotsOf(truth, source.node).some(({ start, end }) => start <= slot && slot <= end)) {
    return truth;
  }
  const add = (key: NodeKey, change: (self: ViewNode) => ViewNode, keys: number) =>
    changeNode(truth, key, (node) =>
      node.redis === undefined
        ? node
        : { ...node, redis: { ...changeSelf(node.redis, change), keys: node.redis.keys + keys } },
    );
  const opened = add(
    source.node,
    (self) => ({ ...self, migrating: [...self.migrating, { slot, nodeId: target.nodeId }] }),
    0,
  );
  const node = add(
    target.node,
    (self) => ({ ...self, importing: [...self.importing, { slot, nodeId: source.nodeId }] }),
    1,
  ).nodes[target.node];
  return node === undefined
    ? opened
    : { ...opened, nodes: { ...opened.nodes, [target.node]: node } };
}

function slotsOf({ nodes }: Observation, key: NodeKey): readonly SlotRange[] {
  const redis = nodes[key]?.redis;
  return redis?.view.nodes.find(({ nodeId }) => nodeId === redis.nodeId)?.slots ?? [];
}

function firstSlots(ranges: readonly SlotRange[], count: number): SlotRange[] {
  const first: SlotRange[] = [];
  let left = count;
  for (const { start, end } of ranges) {
    if (left <= 0) break;
    first.push({ start, end: Math.min(end, start + left - 1) });
    left -= end - start + 1;
  }
  return first;
}

function withMover(truth: Observation, step: MoveSlotsStep): Observation {
  const { host, engine, slots } = step;
  const [source, target] = [step.source.node, step.target.node];
  const mover: MoverObservation = {
    id: moverId(step),
    cluster: 'shop',
    engine,
    source,
    target,
    slots,
    state: 'running',
    leaseUntilMs: Number.MAX_SAFE_INTEGER,
  };
  return changeMovers(truth, host, (movers) => [
    ...movers.filter((other) => !isBetween(other, step)),
    mover,
  ]);
}

/** A mover means the two nodes that it was made for, not who is made anew in their place. */
function moverId({ source, target }: Omit<Pair, 'slots'>): string {
  return `${source.nodeId} ${target.nodeId}`;
}

function isBetween(mover: MoverObservation, { source, target }: MoveSlotsStep): boolean {
  return mover.source === source.node && mover.target === target.node;
}

function withoutMover(truth: Observation, step: MoveSlotsStep): Observation {
  return changeMovers(truth, step.host, (movers) =>
    movers.filter((mover) => !isBetween(mover, step)),
  );
}

function dropMover(truth: Observation, mover: MoverObservation): Observation {
  return Object.keys(truth.hosts).reduce(
    (seen, host) =>
      changeMovers(seen, host, (movers) => movers.filter(({ id }) => id !== mover.id)),
    truth,
  );
}

function changeMovers(
  truth: Observation,
  name: string,
  change: (movers: readonly MoverObservation[]) => readonly MoverObservation[],
): Observation {
  const host = truth.hosts[name];
  if (host === undefined) return truth;
  const hosts = { ...truth.hosts, [name]: { ...host, movers: change(host.movers) } };
  return { ...truth, hosts };
}

/** Undefined once either end is another node, or not a running master any more: then a mover gives up. */
function pairOf({ nodes }: Observation, mover: MoverObservation): Pair | undefined {
  const endOf = (key: NodeKey) => {
    const seen = nodes[key];
    if (seen?.process.state !== 'running' || seen.redis?.role !== 'master') return undefined;
    return { node: key, nodeId: seen.redis.nodeId, address: '', port: seen.port };
  };
  const [source, target] = [endOf(mover.source), endOf(mover.target)];
  if (source === undefined || target === undefined) return undefined;
  const pair = { source, target, slots: mover.slots };
  return moverId(pair) === mover.id ? pair : undefined;
}
