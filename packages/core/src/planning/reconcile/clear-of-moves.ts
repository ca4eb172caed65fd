/** Stops movers, each at the end of a window: those that are in the way of something, or all. */
import type { StopMovesStep } from '../../model/step.ts';
import { tryStep } from '../attempts.ts';
import { isOnline, type Situation } from '../situation.ts';
import { IDLE, isIdle, mergeTurns, type Turn } from '../turn.ts';
import type { Fleet } from './fleet.ts';
import { awaitMove, type ActiveMove } from './movers.ts';

/** Makes the movers on these nodes stop, which they do at the end of a window; idle if none is there. */
export function clearOfMoves(fleet: Fleet, nodes: readonly { readonly key: string }[]): Turn {
  const keys = new Set(nodes.map(({ key }) => key));
  const inTheWay = fleet.moves.filter(({ source, target }) => keys.has(source) || keys.has(target));
  return mergeTurns(inTheWay.map((move) => stopMove(fleet, move)));
}

/** Stops every mover of the cluster: what a pause or a cancellation begins with. */
export function planStopMoves(situation: Situation, moves: readonly ActiveMove[]): Turn {
  const hosts = [...new Set(moves.map(({ host }) => host))].filter((host) => host !== '');
  return mergeTurns(
    hosts.map((host) => {
      if (!isOnline(situation, host)) return IDLE;
      const step: StopMovesStep = { kind: 'stopMoves', host };
      return tryStep(situation.attempts, step, {
        now: situation.now,
        what: `stopping the movers on ${host}`,
        subject: host,
        remedy: `redrover host show ${host} tells whether its agent answers`,
      });
    }),
  );
}

export function stopMove(fleet: Fleet, move: ActiveMove): Turn {
  const turn = planStopMoves(fleet, [move]);
  // Its own agent is away, or has not said yet that it has begun.
  return isIdle(turn) ? awaitMove(move.target, move) : turn;
}
