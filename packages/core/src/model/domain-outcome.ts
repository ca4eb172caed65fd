/** What is left of a cluster when a failure domain dies; the answer to "what if". */
import type { NodeKey } from './layout.ts';
import type { SlotRange } from './slots.ts';

/** By actual roles, when every node of a host or zone dies at once. */
export interface DomainOutcome {
  readonly kind: 'host' | 'zone';
  readonly domain: string;
  readonly mastersThere: readonly NodeKey[];
  /** Slots of shards without a living member that could serve them. */
  readonly lostSlots: readonly SlotRange[];
  readonly lostShards: readonly string[];
  /** Shards that fail over to a replica elsewhere; none without a majority. */
  readonly failovers: readonly string[];
  readonly mastersLeft: number;
  /** For a majority of all masters that own slots, the dead ones included. */
  readonly mastersNeeded: number;
  readonly quorumKept: boolean;
  /** By shard: replicas in sync, besides the one that is, or becomes, the master. */
  readonly replicasLeft: Readonly<Record<string, number>>;
  /** The host whose masters may use most memory afterwards, counting what may be promoted there. */
  readonly busiestHost: string;
  readonly busiestHostUsedBytes: number;
  /** 0 if it is not known. */
  readonly busiestHostMemoryBytes: number;
  /** The host that may hold most masters afterwards, and how many: what a second loss would cost. */
  readonly worstHostAfter: string;
  readonly worstHostMastersAfter: number;
}
