/**
 * What the mover has read about one slot that goes from one master to another: the input of the slot machine.
 *
 * Facts only, each in the words of the node that said it. What follows from them is decided in `slot-machine.ts`;
 * how they come from `CLUSTER NODES`, `INFO` and `CLUSTER COUNTKEYSINSLOT` is in `read-slot-facts.ts`.
 *
 * All of it has to be read after the last effect on the slot was answered; `ageMs` says how long ago reading began.
 */
import type { NodeKey } from '../model/layout.ts';
import type { NodeRole } from '../model/spec.ts';

export interface SlotFacts {
  /** 0 to 16383. */
  readonly slot: number;
  /**
   * - `move`: the slot shall get to the target.
   * - `settle`: begin nothing; finish a slot of which the target has keys, undo any other. For a mover that is told
   *   to stop, and for open slots that somebody else left behind.
   */
  readonly intent: 'move' | 'settle';
  readonly source: EndFacts;
  readonly target: EndFacts;
  /** How the target sees the source: its line for it in `CLUSTER NODES`; undefined: it does not know it. */
  readonly targetSeesSource: PeerFacts | undefined;
  /** Every other master of the cluster, those that did not answer included. */
  readonly witnesses: readonly WitnessFacts[];
  /** Every other node of the source's shard, those that did not answer included. */
  readonly sourceReplicas: readonly ReplicaFacts[];
  /** Every other node of the target's shard, those that did not answer included. */
  readonly targetReplicas: readonly ReplicaFacts[];
  readonly task: TaskFacts;
  readonly nodeTimeoutMs: number;
  /** Since the first of these readings was asked for. */
  readonly ageMs: number;
  /** For how long ownership, flags and roles in these facts have been what they are, as far as this mover knows. */
  readonly unchangedForMs: number;
}

/** One end of the move, as it describes itself; undefined `said`: it did not answer. */
export interface EndFacts {
  readonly node: NodeKey;
  /** The node id that the task means. */
  readonly nodeId: string;
  readonly said: EndReading | undefined;
}

export interface EndReading {
  /** The node id that it answered with. */
  readonly nodeId: string;
  readonly role: NodeRole;
  readonly loading: boolean;
  /** `cluster_state:ok`. */
  readonly stateOk: boolean;
  /** Config epoch of its own line. */
  readonly configEpoch: number;
  /** Node id of the slot's owner in its own view; undefined: nobody. A target's is frozen while it imports the slot. */
  readonly owner: string | undefined;
  readonly migratingTo: OpenFlag | undefined;
  readonly importingFrom: OpenFlag | undefined;
  /** `CLUSTER COUNTKEYSINSLOT`. */
  readonly keys: number;
  /**
   * Why its config epoch may rise by itself (it imports another slot, it is a target of another task), or undefined.
   * Of the target: why it may not take slots now (it is a source of another task).
   */
  readonly otherRole: string | undefined;
}

/** The other side of an open slot. */
export interface OpenFlag {
  readonly nodeId: string;
  /**
   * - `end`: the other end of this task.
   * - `same-shard`: a former master, or any other node, of the other end's shard.
   * - `gone`: no node of the cluster, or a failed one whose slots have gone to its successor.
   * - `other`: any other node.
   */
  readonly standing: 'end' | 'same-shard' | 'gone' | 'other';
}

/** How one node sees another. */
export interface PeerFacts {
  /** As `CLUSTER NODES` prints them: `master`, `slave`, `fail?`, `fail`, … */
  readonly flags: readonly string[];
  readonly configEpoch: number;
}

/** A master that is neither end. */
export interface WitnessFacts {
  readonly node: NodeKey;
  readonly nodeId: string;
  readonly said: WitnessReading | undefined;
}

export interface WitnessReading {
  readonly nodeId: string;
  readonly role: NodeRole;
  /** Node id of the slot's owner in its view; undefined: nobody. */
  readonly owner: string | undefined;
  /** Its line for the source; undefined: it does not know it. */
  readonly seesSource: PeerFacts | undefined;
}

/** A replica of an end. */
export interface ReplicaFacts {
  readonly node: NodeKey;
  readonly nodeId: string;
  /**
   * Whether both ends flag it as failed: then it cannot be promoted until it is back and has heard from everybody.
   * (The source's word alone is nothing: cut off from the others, it takes all of them to have failed.)
   */
  readonly failed: boolean;
  readonly said: ReplicaReading | undefined;
}

export interface ReplicaReading extends WitnessReading {
  /**
   * How much of its master's stream it lacks: the master's `master_repl_offset`, read after the last MIGRATE was
   * answered, less its own offset, which was read later. WAIT on an idle connection proves nothing from 7.2.
   */
  readonly lagBytes: number;
}

/** How the slot stands in this task. A mover that was started anew knows none of it: that is safe, only slower. */
export interface TaskFacts {
  /** This task set IMPORTING, MIGRATING or STABLE on it. */
  readonly touched: boolean;
  /** `CLUSTER SAVECONFIG` was answered by the target after it was seen to own the slot. */
  readonly targetConfigSaved: boolean;
  /** Since the source was told, or seen, to have given the slot up; undefined: not yet. */
  readonly givenUpForMs: number | undefined;
  /**
   * Keys that were sent without an answer (IOERR) and not sent again since: the target may hold a copy of a key that a
   * client has deleted on the source meanwhile.
   */
  readonly keysInDoubt: number;
  /** A key that both ends hold with different values (BUSYKEY, then DUMP on both). */
  readonly conflict: KeyConflict | undefined;
  /** A key of the slot above the ceiling. */
  readonly oversized: OversizedKey | undefined;
  /** How far the target's replicas may lag before a batch is sent, in bytes. */
  readonly maxReplicaLagBytes: number;
}

export interface KeyConflict {
  /** Printable: UTF-8, else escaped as redis-cli does. */
  readonly key: string;
  /** What differs, one line per end. */
  readonly evidence: readonly string[];
}

export interface OversizedKey {
  readonly key: string;
  readonly type: string;
  readonly bytes: number;
  readonly maxBytes: number;
}

/** A slot that this task has not touched yet. */
export function untouched(maxReplicaLagBytes: number): TaskFacts {
  return {
    touched: false,
    targetConfigSaved: false,
    givenUpForMs: undefined,
    keysInDoubt: 0,
    conflict: undefined,
    oversized: undefined,
    maxReplicaLagBytes,
  };
}
