/**
 * Which slots were half way when a master was replaced, as the living masters have them open still, and between which
 * two nodes they go now. What is done about each slot is the slot machine's business.
 */
import {
  DEFAULT_MOVE_OPTIONS,
  rangesOf,
  type ClusterView,
  type MoveEnd,
  type MoveSlotsStep,
  type NodeReading,
  type OpenSlot,
  type ViewNode,
} from '@redrover/core';

export interface Replaced {
  /** The promoted node, with the id that it answered with. */
  readonly heir: MoveEnd;
  /** The master that it followed. */
  readonly formerId: string;
  /** The heir's. */
  readonly view: ClusterView;
  readonly nodeTimeoutMs: number;
}

/** Flags of a node that is not worth asking, or of which it is not known where it is. */
const ABSENT = ['fail', 'noaddr', 'handshake'];

/** The other masters: each may have slots open from, or to, the node that was replaced. */
export function listMasters({ heir, formerId, view }: Replaced): MoveEnd[] {
  const isOther = ({ nodeId }: ViewNode) => nodeId !== heir.nodeId && nodeId !== formerId;
  return view.nodes
    .filter((node) => isOther(node) && node.flags.includes('master') && isThere(node))
    .map(endOf);
}

/** What goes on from the heir to that master, and the other way round, as a step of one move each. */
export function findMoves(replaced: Replaced, end: MoveEnd, said: NodeReading): MoveSlotsStep[] {
  const { heir, formerId } = replaced;
  const myself = said.view.nodes.find(({ nodeId }) => nodeId === said.nodeId);
  if (myself === undefined || said.role !== 'master') return [];
  const other = { ...end, nodeId: said.nodeId };
  const taken = slotsWith(myself.importing, formerId);
  const given = slotsWith(myself.migrating, formerId);
  return [
    ...(taken.length > 0 ? [stepOf(replaced, { source: heir, target: other, slots: taken })] : []),
    ...(given.length > 0 ? [stepOf(replaced, { source: other, target: heir, slots: given })] : []),
  ];
}

function slotsWith(open: readonly OpenSlot[], nodeId: string): number[] {
  return open.filter((each) => each.nodeId === nodeId).map(({ slot }) => slot);
}

interface Pair {
  readonly source: MoveEnd;
  readonly target: MoveEnd;
  readonly slots: readonly number[];
}

function stepOf(replaced: Replaced, { source, target, slots }: Pair): MoveSlotsStep {
  const { heir, view, nodeTimeoutMs } = replaced;
  const ends = [source.nodeId, target.nodeId];
  const replicasOf = ({ nodeId }: MoveEnd) =>
    view.nodes.filter((node) => node.masterId === nodeId && isThere(node)).map(endOf);
  return {
    kind: 'moveSlots',
    host: '',
    node: heir.node,
    engine: 'migrate',
    source,
    target,
    slots: rangesOf(slots),
    sourceReplicas: replicasOf(source),
    targetReplicas: replicasOf(target),
    otherMasters: listMasters(replaced).filter(({ nodeId }) => !ends.includes(nodeId)),
    nodeTimeoutMs,
    options: DEFAULT_MOVE_OPTIONS,
  };
}

function isThere({ flags, address }: ViewNode): boolean {
  return address !== '' && !ABSENT.some((flag) => flags.includes(flag));
}

/** A node of another host has no other name here. */
function endOf({ nodeId, address, port }: ViewNode): MoveEnd {
  return { node: `${address}:${port}`, nodeId, address, port };
}
