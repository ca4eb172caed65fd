/** What it takes to say who owns which shard. */
import type { Layout, LayoutNode, NodeKey } from '../../model/layout.ts';
import type { SlotRange } from '../../model/slots.ts';
import type { EffectiveRole } from '../../placement/effective-roles.ts';
import type { DistinctView, LiveNode } from '../situation.ts';
import type { ActiveMove } from './movers.ts';
import type { SlotMap } from './slot-map.ts';

export interface OwnerQuestion {
  readonly layout: Layout;
  readonly roles: ReadonlyMap<NodeKey, EffectiveRole>;
  readonly former: readonly LayoutNode[];
  readonly byEndpoint: ReadonlyMap<string, LayoutNode>;
  readonly settled: readonly LiveNode[];
  readonly settledViews: readonly DistinctView[];
  readonly slotMap: SlotMap;
  readonly moves: readonly ActiveMove[];
  /** Slots about which the living may disagree: a person decides what becomes of them. */
  readonly setAside: readonly SlotRange[];
  readonly isOnline: (host: string) => boolean;
}
