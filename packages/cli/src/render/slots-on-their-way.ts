/** Slots that are not simply where they belong: on their way, or at a node that the layout does not have. */
import { countSlots, formatRanges } from '@redrover/core';
import type { ClusterView as NodesView, LayoutNode, SlotRange, ViewNode } from '@redrover/core';

/** Slots that are open towards one other node. */
export interface OpenSlotsView {
  readonly direction: 'migrating' | 'importing';
  /** `0-15` */
  readonly slots: readonly string[];
  readonly count: number;
  /** Key of the other end; its Redis node id where it is no node of the layout. */
  readonly peer: string;
}

/** Slots that are served by a node which is not, or no longer, one of the layout. */
export interface SlotsElsewhere {
  /** `address:port` */
  readonly node: string;
  readonly slots: readonly string[];
  readonly slotCount: number;
}

/** Grouped by the other end; a node names its own open slots only. */
export function describeOpenSlots(
  own: ViewNode,
  keysById: ReadonlyMap<string, string>,
): OpenSlotsView[] {
  return (['migrating', 'importing'] as const).flatMap((direction) => {
    const byPeer = Map.groupBy(own[direction], ({ nodeId }) => nodeId);
    return [...byPeer].map(([nodeId, open]) => ({
      direction,
      slots: listRanges(open.map(({ slot }) => ({ start: slot, end: slot }))),
      count: open.length,
      peer: keysById.get(nodeId) ?? nodeId,
    }));
  });
}

/** Nodes that left the layout keep their slots until those are moved away. */
export function findElsewhere(
  majority: NodesView | undefined,
  nodes: readonly LayoutNode[],
): SlotsElsewhere[] {
  const known = new Set(nodes.map(({ address, port }) => `${address}:${port}`));
  return (majority?.nodes ?? [])
    .map(({ address, port, slots }) => ({ node: `${address}:${port}`, slots }))
    .filter(({ node, slots }) => slots.length > 0 && !known.has(node))
    .map(({ node, slots }) => ({ node, slots: listRanges(slots), slotCount: countSlots(slots) }));
}

/** `0-5460`, each for itself. */
export function listRanges(ranges: readonly SlotRange[]): string[] {
  return formatRanges(ranges).split(' ').filter(Boolean);
}
