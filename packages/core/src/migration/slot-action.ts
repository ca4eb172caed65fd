/**
 * The answers of the slot machine: one effect on one slot, or why there is none. Whoever executes them decides nothing.
 *
 * Every action names the rule that gave it, for the mover's log.
 */
import type { QuarantinedSlot } from '../model/migration.ts';

/** Effects on one node, by the Redis command that each is. */
export type SlotEffect =
  /** On the target: `CLUSTER SETSLOT s IMPORTING <source>`. */
  | { readonly kind: 'setImporting' }
  /** On the source: `CLUSTER SETSLOT s MIGRATING <target>`. */
  | { readonly kind: 'setMigrating' }
  /** On the target, which goes on importing: `CLUSTER SETSLOT s NODE <source>`. */
  | { readonly kind: 'nameSource' }
  /**
   * On the source: `CLUSTER GETKEYSINSLOT` and `MIGRATE`, batch by batch, `facts.task.maxReplicaLagBytes` at the most.
   * Keys in doubt go first, with REPLACE as long as `judgeBusyKey` says so. Those that the source has no more are left as
   * they are: the target's copy may be the only one, and one that is equal to what was sent may have been written since.
   */
  | { readonly kind: 'moveKeys' }
  /** On the target: `CLUSTER SETSLOT s NODE <target>`. */
  | { readonly kind: 'finaliseTarget' }
  /** On the target: `CLUSTER SAVECONFIG`; one does for every slot that it is seen to own. */
  | { readonly kind: 'saveTargetConfig' }
  /** On the source: `CLUSTER SETSLOT s NODE <target>`. */
  | { readonly kind: 'finaliseSource' }
  /** On each of these masters: `CLUSTER SETSLOT s NODE <target>`. */
  | { readonly kind: 'tellMasters'; readonly nodeIds: readonly string[] }
  /** On the target: `CLUSTER SETSLOT s STABLE`. */
  | { readonly kind: 'closeTarget' }
  /** On the source: `CLUSTER SETSLOT s STABLE`. */
  | { readonly kind: 'closeSource' };

/** Nothing to do but to look again a little later. */
export type SlotPause =
  /** The target's replicas do not have yet what it was given. */
  | { readonly kind: 'awaitTargetReplicas'; readonly reason: string }
  /** These nodes do not see the target as owner yet. */
  | {
      readonly kind: 'awaitConvergence';
      readonly nodeIds: readonly string[];
      readonly reason: string;
    }
  | {
      readonly kind: 'wait';
      /** One short line for people: `source h1:6379 does not answer`. */
      readonly reason: string;
      /**
       * Waiting under this task is in vain: the ends are not (or no more) the two masters that the task was made for.
       * The mover goes on with other slots, then ends the task; the next plan names the right ends.
       */
      readonly replan: boolean;
    };

export type SlotEnd =
  /** Left as it is, valid for clients; the mover reports it and touches the slot no more. */
  | {
      readonly kind: 'quarantine';
      readonly quarantined: QuarantinedSlot;
    }
  | {
      readonly kind: 'done';
      /** Whether the target owns it; else it was left with, or given back to, the source. */
      readonly moved: boolean;
      /** Keys of the slot on the end that does not own it, which nobody can reach. */
      readonly orphanKeys: number;
    };

export type SlotAction = (SlotEffect | SlotPause | SlotEnd) & { readonly rule: string };

export type SlotActionKind = SlotAction['kind'];
