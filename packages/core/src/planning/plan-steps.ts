/**
 * The planner of operations: what is to be done next, to make a layout real.
 *
 * Pure and total: no I/O, no clock, the same answer for the same input. One file beside this one
 * holds each phase; `create.ts`, `remove.ts` and `reconcile/reconcile.ts` hold the order of phases.
 */
import type { Finding } from '../model/finding.ts';
import type { NextSteps } from '../model/operation.ts';
import { planCreate } from './create.ts';
import { planReconcile } from './reconcile/reconcile.ts';
import { planRemove } from './remove.ts';
import { planStopMoves } from './reconcile/clear-of-moves.ts';
import { awaitMove, listActiveMoves } from './reconcile/movers.ts';
import { assessSituation, isOnline, type PlanInput, type Situation } from './situation.ts';
import { awaitTimingOfOthers, planTimingRestore } from './timing.ts';
import { IDLE, isIdle, mergeTurns, type Turn } from './turn.ts';

/**
 * Plans one turn of an operation; it may be entered at any moment, from whatever is true.
 *
 * What the caller owes:
 * - Steps of one turn that concern one node are done in list order, and those of different nodes
 *   (or of a host: builds, probes) in any order or at once.
 * - Each attempt goes into `history`, with outcome `running` before it is begun. A step whose key
 *   is still under way in this process is not begun twice; attempts that a dead controller left
 *   `running` are simply done again, as steps are idempotent.
 * - A turn may hold blockers *and* steps: the steps put lowered timing back. They are done first;
 *   the operation fails when a turn has blockers and no steps.
 * - With only waits, plan again when the observation changes, and at the latest after a second:
 *   some waits end by time alone.
 *
 * `done` for `create` means that every node's own view agrees, all slots are covered, replicas
 * are in sync, timing is as the layout wants it, and each acting master took a write during this
 * operation. A cluster that is complete already only gets `verifyWrite` steps, which change
 * nothing. `done` for `remove` means that no node of the layout carries the cluster's marker.
 *
 * `change` and `repair` are planned alike, whatever the layout before was. `done` means that every
 * node that shall run does, follows its shard's master and is in sync; that each shard's master is
 * the one that `effectiveRoles` names; that nodes of drained hosts are stopped; and that nodes of
 * earlier layouts (`former`) are stopped, forgotten and in the trash. A `repair` leaves out what is
 * on hosts that are not online (`findLeftForLater` names it); a `change` waits for them, and is
 * blocked by them after a while. What needs a person for one node (a last copy that does not
 * start, say) blocks an operation only once everything else is done.
 *
 * For these two the observation must also hold the hosts and nodes of `former`.
 */
export function planSteps(input: PlanInput): NextSteps {
  const situation = assessSituation(input);
  const turn = planKind(input, situation);
  const { decisions = [] } = turn;
  if (turn.blockers.length > 0) return { ...abandon(situation, turn), decisions };
  return { ...turn, decisions, done: isIdle(turn) };
}

/**
 * What is left to do when an operation ends early (cancelled by a person) or rests (paused):
 * nothing but putting lowered timing back, and stopping movers at the end of a window. `done` once no
 * node can have timing of its own, and no agent reports a mover of the cluster. A node of which
 * nothing is known is waited for; for how long is the caller's business. A `change` or a `repair`
 * lowers no timing, so it only puts back what it finds; the next `repair` finishes it.
 */
export function planCancel(input: PlanInput): NextSteps {
  const situation = assessSituation(input);
  const mayLower = input.kind === 'create';
  const unknown = mayLower ? awaitTimingOfOthers(situation) : IDLE;
  const moves = listActiveMoves(input, situation.attempts).filter(
    ({ host }) => host !== '' && isOnline(situation, host),
  );
  const stopping = planStopMoves(situation, moves);
  const stopped = moves.map((move) => awaitMove(move.target, move));
  const turn = mergeTurns([planTimingRestore(situation), stopping, ...stopped, unknown]);
  const done = turn.steps.length === 0 && turn.waits.length === 0;
  return { ...turn, decisions: [], done };
}

interface DecidedTurn extends Turn {
  readonly decisions?: readonly Finding[];
}

function planKind(input: PlanInput, situation: Situation): DecidedTurn {
  switch (input.kind) {
    case 'create':
      return planCreate(situation);
    case 'change':
    case 'repair':
      return planReconcile(input);
    case 'remove':
      return planRemove(situation);
  }
}

/** Nothing is begun beside a blocker, but no cluster is left with lowered timing either. */
function abandon(situation: Situation, turn: Turn): NextSteps {
  if (situation.kind === 'remove') return { ...turn, steps: [], decisions: [], done: false };
  const { steps, waits } = planTimingRestore(situation);
  return { steps, waits, blockers: turn.blockers, decisions: [], done: false };
}
