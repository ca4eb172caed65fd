/** The limits that a mover keeps to, all in one place; `resolve-limits.ts` derives them from what the operator said. */

/** Of one MIGRATE. */
export interface BatchLimits {
  /** No command may block either end for longer, in milliseconds, as far as batches can be cut. */
  readonly blockBoundMs: number;
  readonly batchBytesStart: number;
  readonly batchBytesMin: number;
  readonly batchBytesMax: number;
  readonly batchKeysMax: number;
}

/** While clients are at work on the source or the target; in the fast pace nobody looks, and both are the same. */
export interface MoveLimits extends BatchLimits {
  /** While none are. */
  readonly idle: BatchLimits;
  /** Slots whose keys are moved at the same time, each over a connection of its own. */
  readonly slotsInFlight: number;
  /** Slots with keys that are opened, moved and finalised together, at least; more while they have fewer keys than that. */
  readonly windowSlots: number;
  readonly windowKeys: number;
  /** Windows that are taken as one while no clients are at work. */
  readonly idleWindows: number;
  /** A slot with a larger key (`MEMORY USAGE`) is left to a person. */
  readonly maxKeyBytes: number;
  /** Given to MIGRATE; per read or write on the wire, not in total. Below half of the node timeout. */
  readonly migrateTimeoutMs: number;
  /** After which the mover gives up on an answer; above the worst MIGRATE. */
  readonly commandTimeoutMs: number;
  /** The target's replicas may lag so much before a batch is sent. */
  readonly maxReplicaLagBytes: number;
  /** 0: no limit. */
  readonly rateBytesPerS: number;
  /** Fraction of the time in which either end may be blocked by this and other movers; 1: no rests, nobody looks. */
  readonly busyShare: number;
  /** The same of handovers, which hold up every node of the cluster. */
  readonly handoverShare: number;
  /** Why each is what it is, for `--explain` and logs. */
  readonly reasons: Readonly<Record<LimitName, string>>;
}

export type LimitName = Exclude<keyof MoveLimits, 'reasons'>;
