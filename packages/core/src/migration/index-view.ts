/** A view made quick to ask about slots; nothing is judged here. */
import type { ClusterView, OpenSlot, ViewNode } from '../model/observation.ts';

export interface ViewIndex {
  /** Node id; undefined: nobody in this view. */
  readonly ownerOf: (slot: number) => string | undefined;
  readonly node: (nodeId: string) => ViewNode | undefined;
  /** The open slot on that node's own line; nodes tell only their own. */
  readonly migrating: (nodeId: string, slot: number) => OpenSlot | undefined;
  readonly importing: (nodeId: string, slot: number) => OpenSlot | undefined;
}

interface OwnedRange {
  readonly start: number;
  readonly end: number;
  readonly nodeId: string;
}

/** Views are immutable, and one is asked about every slot of a window. */
const indexes = new WeakMap<ClusterView, ViewIndex>();

export function indexView(view: ClusterView): ViewIndex {
  const known = indexes.get(view);
  if (known !== undefined) return known;
  const index = buildIndex(view);
  indexes.set(view, index);
  return index;
}

function buildIndex(view: ClusterView): ViewIndex {
  const nodes = new Map(view.nodes.map((node) => [node.nodeId, node]));
  const ranges = view.nodes
    .flatMap(({ nodeId, slots }): OwnedRange[] => slots.map((range) => ({ ...range, nodeId })))
    .sort((a, b) => a.start - b.start);
  const migrating = indexOpen(view, 'migrating');
  const importing = indexOpen(view, 'importing');
  return {
    ownerOf: (slot) => findRange(ranges, slot)?.nodeId,
    node: (nodeId) => nodes.get(nodeId),
    migrating: (nodeId, slot) => migrating.get(nodeId)?.get(slot),
    importing: (nodeId, slot) => importing.get(nodeId)?.get(slot),
  };
}

type OpenSlots = ReadonlyMap<string, ReadonlyMap<number, OpenSlot>>;

/** By node and slot; nearly all nodes have none. */
function indexOpen(view: ClusterView, which: 'migrating' | 'importing'): OpenSlots {
  return new Map(
    view.nodes
      .filter((node) => node[which].length > 0)
      .map((node) => [node.nodeId, new Map(node[which].map((open) => [open.slot, open]))]),
  );
}

/** The last range that begins at the slot or before it, if it reaches the slot; one view names one owner only. */
function findRange(ranges: readonly OwnedRange[], slot: number): OwnedRange | undefined {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const range = ranges[middle];
    if (range !== undefined && range.start <= slot) low = middle + 1;
    else high = middle;
  }
  const range = ranges[low - 1];
  return range !== undefined && slot <= range.end ? range : undefined;
}
