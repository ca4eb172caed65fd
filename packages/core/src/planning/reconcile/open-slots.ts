/**
 * Slots that are open for migration on any living node, and between which masters they go: those
 * that a dead mover of this operation left, and those of somebody else.
 *
 * What to do about each is found out by whoever moves it, on the nodes themselves.
 */
import type { LayoutNode, NodeKey } from '../../model/layout.ts';
import type { LiveNode } from '../situation.ts';
import type { Fleet } from './fleet.ts';
import { listTriedPairs } from './movers.ts';
import { agreedOwner } from './slot-map.ts';

/**
 * A living `redis-cli --cluster reshard` takes a slot after the other; one that is open and unchanged
 * for so long was left behind. Its longest pause is one MIGRATE, whose timeout is 60 s.
 */
const QUIET_MS = 60_000;

export interface OpenSlotMove {
  readonly slot: number;
  /** Undefined, or the same: it cannot be told who they are, so a person must. */
  readonly source: LiveNode | undefined;
  readonly target: LiveNode | undefined;
  /** The nodes that have it open. */
  readonly holders: readonly LiveNode[];
  /** This operation has tried to move slots between their shards: since then, others may be masters there. */
  readonly isOurs: boolean;
  /** Both ends are nodes of ours, and one of them has no master in its place now. */
  readonly isAwaited: boolean;
  /** Whether it has been left alone for long enough to be touched. */
  readonly isQuiet: boolean;
}

/** Whether it is known between which two masters it is. */
export function hasEnds({ source, target }: OpenSlotMove): boolean {
  return source !== undefined && target !== undefined && source !== target;
}

interface Ends {
  from: string | undefined;
  to: string | undefined;
  readonly holders: LiveNode[];
}

/** A turn asks several times, and the windows of a few movers are hundreds of slots. */
const listed = new WeakMap<Fleet, readonly OpenSlotMove[]>();

export function listOpenSlots(fleet: Fleet): readonly OpenSlotMove[] {
  const known = listed.get(fleet) ?? readOpenSlots(fleet);
  listed.set(fleet, known);
  return known;
}

function readOpenSlots(fleet: Fleet): OpenSlotMove[] {
  const bySlot = new Map<number, Ends>();
  const endsOf = (slot: number): Ends => {
    const known = bySlot.get(slot) ?? { from: undefined, to: undefined, holders: [] };
    bySlot.set(slot, known);
    return known;
  };
  for (const live of fleet.live) {
    for (const open of live.self?.migrating ?? []) {
      const ends = endsOf(open.slot);
      ends.holders.push(live);
      ends.from = endOf(live);
      ends.to = open.nodeId;
    }
  }
  for (const live of fleet.live) {
    for (const open of live.self?.importing ?? []) {
      const ends = endsOf(open.slot);
      ends.holders.push(live);
      ends.from ??= open.nodeId;
      ends.to ??= endOf(live);
    }
  }
  const wayOf = readWays(fleet);
  return [...bySlot]
    .sort(([a], [b]) => a - b)
    .map(([slot, ends]) => describe(fleet, { slot, holders: ends.holders, way: wayOf(ends) }));
}

/** A replica of Valkey 8 and later has open what its master has, and is no end of a move itself. */
function endOf({ self, redis }: LiveNode): string {
  return self?.masterId || redis.nodeId;
}

/** What slots between the same two ends have in common. */
interface Way {
  readonly source: LiveNode | undefined;
  readonly target: LiveNode | undefined;
  readonly isOurs: boolean;
  /** Both ends are nodes of ours. */
  readonly isKnown: boolean;
}

function readWays(fleet: Fleet): (ends: Ends) => Way {
  const tried = new Set(listTriedPairs(fleet.attempts).map((pair) => nameOfPair(fleet, pair)));
  const ways = new Map<string, Way>();
  return ({ from, to }) => {
    const name = `${from} ${to}`;
    const way = ways.get(name) ?? readWay(fleet, { from, to, tried });
    ways.set(name, way);
    return way;
  };
}

function readWay(
  fleet: Fleet,
  { from, to, tried }: Pick<Ends, 'from' | 'to'> & { readonly tried: ReadonlySet<string> },
): Way {
  const pair = { source: keyOf(fleet, from), target: keyOf(fleet, to) };
  return {
    source: masterOf(fleet, from),
    target: masterOf(fleet, to),
    isOurs: tried.has(nameOfPair(fleet, pair)),
    isKnown: ourNode(fleet, pair.source) !== undefined && ourNode(fleet, pair.target) !== undefined,
  };
}

function describe(
  fleet: Fleet,
  {
    slot,
    holders,
    way,
  }: { readonly slot: number; readonly holders: readonly LiveNode[]; readonly way: Way },
): OpenSlotMove {
  // Where it was to go is gone for good: then it goes where the layout wants it.
  const target = way.target ?? wantedAt(fleet, slot);
  const owner = fleet.liveById.get(agreedOwner(fleet.slotMap, slot) ?? '');
  // The owner is whom the keys are asked of, whoever the flags speak of.
  const isMoved = owner === undefined || owner === target;
  const source = isMoved ? way.source : owner;
  return {
    slot,
    source,
    target,
    holders,
    isOurs: way.isOurs,
    isAwaited: (source === undefined || target === undefined) && way.isKnown,
    isQuiet: holders.every(({ redis }) => redis.openSlotsQuietMs >= QUIET_MS),
  };
}

function ourNode({ layout, former }: Fleet, key: NodeKey): LayoutNode | undefined {
  return [...layout.nodes, ...former].find((node) => node.key === key);
}

function wantedAt({ shards }: Fleet, slot: number): LiveNode | undefined {
  return shards.find(({ shard }) =>
    shard.slots.some(({ start, end }) => start <= slot && slot <= end),
  )?.owner;
}

/** In either direction: what was moved back is ours as well. */
function nameOfPair(
  fleet: Fleet,
  { source, target }: { readonly source: NodeKey; readonly target: NodeKey },
): string {
  const names = [source, target].map((key) => ourNode(fleet, key)?.shard ?? key);
  return names.sort().join(' ');
}

/** The living master that has what the node with that id had: itself, or who took its place. */
function masterOf(fleet: Fleet, nodeId = ''): LiveNode | undefined {
  const live = fleet.liveById.get(nodeId);
  if (live?.redis.role === 'master') return live;
  const leader = fleet.liveById.get(live?.self?.masterId ?? '');
  if (leader?.redis.role === 'master') return leader;
  const shard = (live?.node ?? nodeAt(fleet, nodeId))?.shard;
  return [...fleet.shards, ...fleet.departed].find((owned) => owned.shard.id === shard)?.owner;
}

function nodeAt(fleet: Fleet, nodeId: string) {
  for (const { nodes } of fleet.views.values()) {
    const entry = nodes.get(nodeId);
    const node =
      entry === undefined ? undefined : fleet.byEndpoint.get(`${entry.address}:${entry.port}`);
    if (node !== undefined) return node;
  }
  return undefined;
}

function keyOf(fleet: Fleet, nodeId = ''): NodeKey {
  return (fleet.liveById.get(nodeId)?.node ?? nodeAt(fleet, nodeId))?.key ?? nodeId;
}
