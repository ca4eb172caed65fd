/**
 * The decision of the stale-master guard. Pure.
 *
 * A master that comes back with an older or empty dataset within the node timeout is still master:
 * its replicas drop what they acknowledged and copy it. So such a start waits until another node owns
 * its slots; then it comes back as that node's replica, and nothing is lost.
 */
import { formatRanges, countSlots, type SlotRange } from '@redrover/core';
import type { Identity } from './identity.ts';

/** What is known of a node that does not run and should. */
export interface StartFacts {
  readonly identity: Identity;
  /** Of the node, for messages. */
  readonly directory: string;
  /** Its name, for messages. */
  readonly cluster: string;
  /** Master by its nodes.conf or by what was last seen of it. */
  readonly wasMaster: boolean;
  readonly slots: readonly SlotRange[];
  /** `address:port` of its replicas; empty if it had none. */
  readonly replicas: readonly string[];
  /** It was stopped on request and saved its state before, where a start loads it from. */
  readonly cleanStop: boolean;
  /** The AOF was on, its last write succeeded, and its files are all there. */
  readonly aofComplete: boolean;
  /** What is wrong with the AOF; empty when nothing is. */
  readonly aofProblem: string;
  /** Every write was synced before it was acknowledged (`appendfsync always`). */
  readonly aofAlwaysSynced: boolean;
  /** The kernel was started since: what was not synced may be gone. */
  readonly rebooted: boolean;
  /** Another node owns all its slots, with a higher epoch, by the view of a living peer. */
  readonly superseded: boolean;
  /** A person accepted the loss by name. */
  readonly released: boolean;
  /** How long the start has been held back already. */
  readonly heldMs: number;
  readonly nodeTimeoutMs: number;
}

export type StartDecision =
  | { readonly kind: 'start' }
  /** `reason` is for people and says what to do. */
  | { readonly kind: 'hold'; readonly reason: string };

/** Detection takes up to 1.5 node timeouts, the election another second or two. */
const FAILOVER_TIMEOUTS = 2;
const FAILOVER_MARGIN_MS = 5_000;

export function decideStart(facts: StartFacts): StartDecision {
  if (facts.identity === 'no-directory') return { kind: 'hold', reason: describeGone(facts) };
  if (facts.identity === 'lost' && !facts.released) {
    return { kind: 'hold', reason: describeStranger(facts) };
  }
  const endangersNobody =
    !facts.wasMaster || facts.replicas.length === 0 || countSlots(facts.slots) === 0;
  if (endangersNobody || facts.cleanStop || facts.superseded || facts.released) {
    return { kind: 'start' };
  }
  if (!facts.aofComplete) return { kind: 'hold', reason: describeLoss(facts) };
  if (!facts.rebooted || facts.aofAlwaysSynced) return { kind: 'start' };
  // The AOF is whole but may lack the second before the crash, which a replica may have. It gets the
  // time of a failover; if none comes (all hosts lost power), the AOF is the best there is.
  const patienceMs = facts.nodeTimeoutMs * FAILOVER_TIMEOUTS + FAILOVER_MARGIN_MS;
  if (facts.heldMs >= patienceMs) return { kind: 'start' };
  return {
    kind: 'hold',
    reason:
      'the host was restarted and the last second of the AOF may be missing; waiting up to ' +
      `${Math.ceil(patienceMs / 1000)} s for a replica (${facts.replicas.join(', ')}) to take over`,
  };
}

/** Nothing is there to be started, so nothing can be released either. */
function describeGone(facts: StartFacts): string {
  return (
    `its directory ${facts.directory} is gone${describePast(facts)}. Put it back, or let ` +
    `\`redrover cluster repair ${facts.cluster}\` make the node anew from another one of its shard`
  );
}

function describeStranger(facts: StartFacts): string {
  return (
    `its nodes.conf in ${facts.directory} is gone or broken${describePast(facts)}: started now, it ` +
    'would be a stranger to its cluster, under a new node id. Put the file back, or let ' +
    `\`redrover cluster repair ${facts.cluster}\` make the node anew from another one of its shard. ` +
    'To start it as a stranger all the same, use `redrover-agent release-node PORT` on this host'
  );
}

function describePast({ wasMaster, slots, replicas }: StartFacts): string {
  if (!wasMaster || countSlots(slots) === 0) return '';
  const followers = replicas.length === 0 ? 'without replicas' : `with ${replicas.join(', ')}`;
  return `, and it was master of slots ${formatRanges(slots)}, ${followers}`;
}

function describeLoss(facts: StartFacts): string {
  return (
    `it was master of slots ${formatRanges(facts.slots)} and has no complete AOF ` +
    `(${facts.aofProblem}): started now, its replicas ${facts.replicas.join(', ')} would lose ` +
    'what they hold. It starts by itself once another node owns these slots. If no replica is ' +
    'left to take over, accept the loss on this host with `redrover-agent release-node PORT`'
  );
}
