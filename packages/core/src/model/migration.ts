/**
 * Moving slots from one master to another: what is asked for, how gently, and what came of it.
 *
 * Which slots go where is placement's business, when they go planning's, how the agent's. The rules
 * that keep every slot owned while they go are in `migration/`.
 */
import type { NodeKey } from './layout.ts';
import { formatRanges, type SlotRange } from './slots.ts';

/**
 * - `migrate`: key by key, `MIGRATE` between `CLUSTER SETSLOT`s, slot by slot; every version.
 * - `redis-atomic`: `CLUSTER MIGRATION IMPORT` (Redis 8.4), asked of the target.
 * - `valkey-atomic`: `CLUSTER MIGRATESLOTS` (Valkey 9.0), asked of the source.
 */
export type MoveEngine = 'migrate' | 'redis-atomic' | 'valkey-atomic';

/** What an operator may say about how slots are moved; part of the operation. */
export interface MoveOptions {
  /** `auto`: the best that every node of the move supports. */
  readonly engine: 'auto' | MoveEngine;
  /** `gentle` holds back where clients are at work; `fast` is for maintenance windows. Both keep every check. */
  readonly pace: 'gentle' | 'fast';
  /** How long one batch may block a node, in milliseconds; 1 to 1000. 0: 1 where `gentle` holds back, else 50. */
  readonly maxLatencyMs: number;
  /** Bytes of keys that each source may send a second; 0: no limit. */
  readonly rateBytesPerS: number;
  /** A slot with a larger key is left where it is, for a person to decide. 0: what blocks for a quarter of the node timeout. */
  readonly maxKeyBytes: number;
}

export const DEFAULT_MOVE_OPTIONS: MoveOptions = {
  engine: 'auto',
  pace: 'gentle',
  maxLatencyMs: 0,
  rateBytesPerS: 0,
  maxKeyBytes: 0,
};

/** A node as a mover reaches it. */
export interface MoveEnd {
  readonly node: NodeKey;
  /** Redis node id: whoever answers with another one is not meant. */
  readonly nodeId: string;
  readonly address: string;
  readonly port: number;
}

/** A mover at work, as its agent reports it; those that have ended are not listed. */
export interface MoverObservation {
  /** Chosen by the agent, new for each task. */
  readonly id: string;
  readonly cluster: string;
  readonly engine: MoveEngine;
  readonly source: NodeKey;
  readonly target: NodeKey;
  /** Of the task as it was given; some may be at the target already. */
  readonly slots: readonly SlotRange[];
  /** `stopping`: told to stop, and finishing what is half open. */
  readonly state: 'running' | 'stopping';
  /** After this time it stops by itself, unless the controller renews its lease. */
  readonly leaseUntilMs: number;
}

/** How far a mover is, for people who watch. */
export interface MoveProgress {
  readonly source: NodeKey;
  readonly target: NodeKey;
  readonly engine: MoveEngine;
  readonly slotsDone: number;
  readonly slotsTotal: number;
  readonly keysDone: number;
  /** Counted when the task began. */
  readonly keysTotal: number;
  readonly bytesDone: number;
  /** Estimated from samples. */
  readonly bytesTotal: number;
  readonly keysPerS: number;
  readonly bytesPerS: number;
  /** Longest time that one command blocked either end in the last seconds. */
  readonly blockedMs: number;
  readonly quarantinedSlots: number;
  /** One short line: `moving`, `waiting for replica h2:6380`, `held back by --rate`; empty if there is nothing to say. */
  readonly state: string;
}

/** A slot that was left where it is, in a state that is valid for clients, until a person decides. */
export interface QuarantinedSlot {
  readonly slot: number;
  /** Kebab-case, as a finding's: `key-too-large`, `slot-owner-disputed`, `key-differs`. */
  readonly rule: string;
  readonly message: string;
  /** Every node's view of the slot and its key counts. */
  readonly evidence: readonly string[];
  readonly remedy: string;
}

/** What one `moveSlots` step did. */
export interface MoveReport {
  readonly engine: MoveEngine;
  readonly slotsMoved: number;
  readonly keysMoved: number;
  readonly bytesMoved: number;
  /** Longest time that one command blocked either end. */
  readonly blockedMs: number;
  readonly quarantined: readonly QuarantinedSlot[];
  /** What else people should know: keys that a dead target may not have replicated, a fallback of engine. */
  readonly notes: readonly string[];
}

/** What an agent found in slots of a node; a bounded look, not a full scan. */
export interface SlotSurvey {
  readonly node: NodeKey;
  /** Of every slot that was asked for. */
  readonly slots: readonly SlotStats[];
  readonly keysSampled: number;
  /** Undefined in an empty node. */
  readonly largestKey: LargestKey | undefined;
  /** Whether the size of every key was looked at. */
  readonly complete: boolean;
  /** Names; none where the release has no functions. */
  readonly functionLibraries: readonly string[];
}

export interface SlotStats {
  readonly slot: number;
  readonly keys: number;
  /** Estimated from samples of this slot, or of its neighbours. */
  readonly bytes: number;
}

export interface LargestKey {
  readonly slot: number;
  /** As UTF-8 where it is that; else escaped like redis-cli does. */
  readonly name: string;
  readonly type: string;
  /** `MEMORY USAGE`. */
  readonly bytes: number;
}

/** One pair of a plan's moves, as the preview shows it. */
export interface PlannedMove {
  /** Shard ids. */
  readonly from: string;
  readonly to: string;
  readonly source: NodeKey;
  readonly target: NodeKey;
  readonly engine: MoveEngine;
  readonly slots: readonly SlotRange[];
  readonly keys: number;
  readonly bytes: number;
  readonly largestKey: LargestKey | undefined;
  /** Predicted, of the largest key that would be moved. */
  readonly blockingMs: number;
  readonly durationMs: number;
  /** Whether the size of every key was looked at. */
  readonly complete: boolean;
}

/** What an operator asks of slots; each is a next layout of the cluster. */
export type Reshard =
  | {
      readonly kind: 'rebalance';
      readonly by: 'slots' | 'keys' | 'memory';
      /** By shard id; 1 for those that are not named, 0 drains a shard of its slots. */
      readonly weights: Readonly<Record<string, number>>;
    }
  | { readonly kind: 'moveSlots'; readonly slots: readonly SlotRange[]; readonly to: string }
  /** Moves nodes, not slots, so that hosts without or with few nodes carry their share. */
  | { readonly kind: 'spread' };

/** As people write it: `rebalance by keys`, `move slots 0-99 200 to s4`. */
export function describeReshard(change: Reshard): string {
  switch (change.kind) {
    case 'rebalance':
      return `rebalance by ${change.by}`;
    case 'moveSlots':
      return `move slots ${formatRanges(change.slots)} to ${change.to}`;
    case 'spread':
      return 'spread over hosts';
  }
}
