/**
 * Facts of a slot from what nodes answered: `CLUSTER NODES` of each, replication offsets, key counts. One reading does
 * for a whole window of slots. What follows from the facts is `slot-machine.ts`'s business.
 */
import type { MoveEnd } from '../model/migration.ts';
import type { ClusterView, OpenSlot, ViewNode } from '../model/observation.ts';
import { countSlots } from '../model/slots.ts';
import type { NodeRole } from '../model/spec.ts';
import { indexView, type ViewIndex } from './index-view.ts';
import type {
  EndFacts,
  EndReading,
  OpenFlag,
  PeerFacts,
  ReplicaFacts,
  SlotFacts,
  TaskFacts,
  WitnessFacts,
  WitnessReading,
} from './slot-facts.ts';

/** One node's answer; read anew after every effect. */
export interface NodeReading {
  /** `ClusterNodesReading.myselfId`. */
  readonly nodeId: string;
  readonly view: ClusterView;
  readonly role: NodeRole;
  readonly loading: boolean;
  /** `CLUSTER INFO`: `cluster_state:ok`. */
  readonly stateOk: boolean;
  /** `master_repl_offset`, or on a replica `slave_repl_offset`; bytes. */
  readonly offsetBytes: number;
}

/** The nodes of one move, each with its answer; undefined: it did not answer. */
export interface MoveReading {
  readonly source: Asked;
  readonly target: Asked;
  readonly sourceReplicas: readonly Asked[];
  /** Read after the target was: their offsets are compared with its. */
  readonly targetReplicas: readonly Asked[];
  readonly otherMasters: readonly Asked[];
  /** Why the source may not give, and the target not take, now, beyond what their open slots say; see `EndReading`. */
  readonly sourceOtherRole: string | undefined;
  readonly targetOtherRole: string | undefined;
  readonly nodeTimeoutMs: number;
  readonly ageMs: number;
}

export interface Asked {
  readonly end: MoveEnd;
  readonly reading: NodeReading | undefined;
}

export interface SlotCounts {
  readonly slot: number;
  readonly intent: SlotFacts['intent'];
  readonly sourceKeys: number;
  readonly targetKeys: number;
  readonly task: TaskFacts;
  readonly unchangedForMs: number;
}

/** The facts of one slot. */
export function slotFactsOf(move: MoveReading, counts: SlotCounts): SlotFacts {
  const { slot } = counts;
  const targetView = viewOf(move.target);
  const failed = bothFlagFailed(viewOf(move.source), targetView);
  const targetOffset = move.target.reading?.offsetBytes ?? 0;
  return {
    slot,
    intent: counts.intent,
    source: endFacts(move, 'source', counts),
    target: endFacts(move, 'target', counts),
    targetSeesSource: peerOf(targetView?.node(move.source.end.nodeId)),
    witnesses: move.otherMasters.map((asked) => witnessFacts(move, asked, slot)),
    sourceReplicas: move.sourceReplicas.map((asked) =>
      replicaFacts(witnessFacts(move, asked, slot), failed(asked), 0),
    ),
    targetReplicas: move.targetReplicas.map((asked) =>
      replicaFacts(
        witnessFacts(move, asked, slot),
        failed(asked),
        Math.max(0, targetOffset - (asked.reading?.offsetBytes ?? 0)),
      ),
    ),
    task: counts.task,
    nodeTimeoutMs: move.nodeTimeoutMs,
    ageMs: move.ageMs,
    unchangedForMs: counts.unchangedForMs,
  };
}

function endFacts(move: MoveReading, which: 'source' | 'target', counts: SlotCounts): EndFacts {
  const { end, reading } = move[which];
  const base = { node: end.node, nodeId: end.nodeId };
  if (reading === undefined) return { ...base, said: undefined };
  const index = indexView(reading.view);
  const myself = index.node(reading.nodeId);
  const otherShard = which === 'source' ? shardOf(move, 'target') : shardOf(move, 'source');
  const flag = (open: OpenSlot | undefined) => openFlag(open, { index, myself }, otherShard);
  const said: EndReading = {
    nodeId: reading.nodeId,
    role: reading.role,
    loading: reading.loading,
    stateOk: reading.stateOk,
    configEpoch: myself?.configEpoch ?? 0,
    owner: index.ownerOf(counts.slot),
    migratingTo: flag(index.migrating(reading.nodeId, counts.slot)),
    importingFrom: flag(index.importing(reading.nodeId, counts.slot)),
    keys: which === 'source' ? counts.sourceKeys : counts.targetKeys,
    otherRole:
      which === 'source'
        ? (move.sourceOtherRole ?? importsOf(myself))
        : (move.targetOtherRole ?? migrationsOf(myself)),
  };
  return { ...base, said };
}

/** A source that imports is a target for somebody, whoever began it. */
function importsOf(myself: ViewNode | undefined): string | undefined {
  const [first] = myself?.importing ?? [];
  return first && `is importing slot ${first.slot}`;
}

function migrationsOf(myself: ViewNode | undefined): string | undefined {
  const [first] = myself?.migrating ?? [];
  return first && `is giving away slot ${first.slot}`;
}

interface Shard {
  readonly endId: string;
  readonly memberIds: readonly string[];
}

function shardOf(move: MoveReading, which: 'source' | 'target'): Shard {
  const replicas = which === 'source' ? move.sourceReplicas : move.targetReplicas;
  return { endId: move[which].end.nodeId, memberIds: replicas.map(({ end }) => end.nodeId) };
}

interface Reader {
  readonly index: ViewIndex;
  /** Its own line. */
  readonly myself: ViewNode | undefined;
}

function openFlag(
  open: OpenSlot | undefined,
  { index, myself }: Reader,
  shard: Shard,
): OpenFlag | undefined {
  if (open === undefined) return undefined;
  const { nodeId } = open;
  if (nodeId === shard.endId) return { nodeId, standing: 'end' };
  const known = index.node(nodeId);
  if (shard.memberIds.includes(nodeId) || known?.masterId === shard.endId) {
    return { nodeId, standing: 'same-shard' };
  }
  const isGone = known === undefined || hasLostItsSlots(known, myself);
  return { nodeId, standing: isGone ? 'gone' : 'other' };
}

/**
 * A failed master whose slots somebody else has taken. In the view of a node that imports from it, the slots that it
 * imports are still that one's: they are frozen there.
 */
function hasLostItsSlots(node: ViewNode, reader: ViewNode | undefined): boolean {
  const hasFailed = node.flags.includes('fail') || node.flags.includes('noaddr');
  const frozen = (reader?.importing ?? []).filter(({ nodeId }) => nodeId === node.nodeId);
  return hasFailed && countSlots(node.slots) <= frozen.length;
}

function witnessFacts(move: MoveReading, { end, reading }: Asked, slot: number): WitnessFacts {
  const base = { node: end.node, nodeId: end.nodeId };
  // Another node under the same address is no witness.
  if (reading === undefined || reading.nodeId !== end.nodeId) return { ...base, said: undefined };
  const index = indexView(reading.view);
  const said: WitnessReading = {
    nodeId: reading.nodeId,
    role: reading.role,
    owner: index.ownerOf(slot),
    seesSource: peerOf(index.node(move.source.end.nodeId)),
  };
  return { ...base, said };
}

function replicaFacts(facts: WitnessFacts, failed: boolean, lagBytes: number): ReplicaFacts {
  const { node, nodeId, said } = facts;
  return { node, nodeId, failed, said: said === undefined ? undefined : { ...said, lagBytes } };
}

function bothFlagFailed(source: ViewIndex | undefined, target: ViewIndex | undefined) {
  const flags = (view: ViewIndex | undefined, id: string) =>
    view?.node(id)?.flags.includes('fail') ?? false;
  return ({ end }: Asked) => flags(source, end.nodeId) && flags(target, end.nodeId);
}

function peerOf(node: ViewNode | undefined): PeerFacts | undefined {
  return node && { flags: node.flags, configEpoch: node.configEpoch };
}

function viewOf({ reading }: Asked): ViewIndex | undefined {
  return reading && indexView(reading.view);
}
