/** A view made quick to ask about slots; nothing is judged here. */
import type { ClusterView, OpenSlot, ViewNode } from '../model/observation.ts';
import { SLOT_COUNT } from '../model/slots.ts';

export interface ViewIndex {
  /** Node id; undefined: nobody in this view. */
  readonly ownerOf: (slot: number) => string | undefined;
  readonly node: (nodeId: string) => ViewNode | undefined;
  /** The open slot on that node's own line; nodes tell only their own. */
  readonly migrating: (nodeId: string, slot: number) => OpenSlot | undefined;
  readonly importing: (nodeId: string, slot: number) => OpenSlot | undefined;
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
  const owners = Array.from<string | undefined>({ length: SLOT_COUNT });
  const nodes = new Map<string, ViewNode>();
  const migrating = new Map<string, OpenSlot>();
  const importing = new Map<string, OpenSlot>();
  for (const node of view.nodes) {
    nodes.set(node.nodeId, node);
    for (const { start, end } of node.slots) owners.fill(node.nodeId, start, end + 1);
    for (const open of node.migrating) migrating.set(`${node.nodeId} ${open.slot}`, open);
    for (const open of node.importing) importing.set(`${node.nodeId} ${open.slot}`, open);
  }
  return {
    ownerOf: (slot) => owners[slot],
    node: (nodeId) => nodes.get(nodeId),
    migrating: (nodeId, slot) => migrating.get(`${nodeId} ${slot}`),
    importing: (nodeId, slot) => importing.get(`${nodeId} ${slot}`),
  };
}
