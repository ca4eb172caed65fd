/**
 * Moves slots towards the layout: what is due and ready is begun, what is at work is gone on with,
 * and what nobody wants any more is told to stop.
 */
import { countSlots, formatRanges } from '../../model/slots.ts';
import type { LayoutNode } from '../../model/layout.ts';
import type { MoveEngine } from '../../model/migration.ts';
import type { MoveSlotsStep } from '../../model/step.ts';
import { isAttached } from '../replicas.ts';
import { isOnline, type LiveNode } from '../situation.ts';
import { blocking, IDLE, mergeTurns, stepping, waiting, type Turn } from '../turn.ts';
import { missingCalm } from './agreement.ts';
import { stopMove } from './clear-of-moves.ts';
import { listDueMoves, toSlotSet, type DueMove, type DueMoves } from './due-moves.ts';
import { isInSync, shallRun, shardOwnedBy, type Fleet } from './fleet.ts';
import { isHeld } from './held-moves.ts';
import { engineFor, moveStep, tryMove } from './move-step.ts';
import { awaitMove, listTriedPairs, type ActiveMove } from './movers.ts';
import type { OpenSlotMove } from './open-slots.ts';
import { headsOf } from './open-chains.ts';
import { chooseWave, type Candidate, type Hold } from './waves.ts';

export function planMoves(fleet: Fleet): Turn {
  const due = listDueMoves(fleet);
  const stopping = mergeTurns(
    fleet.moves.filter((move) => !isWanted(fleet, due, move)).map((move) => stopMove(fleet, move)),
  );
  const going = goOn(fleet, due);
  const held = [
    ...due.foreign.map(describeForeign),
    ...fleet.moves.map((move) => awaitMove(move.target, move)),
  ];
  const isDone = due.pairs.length + due.targetless.length + held.length === 0;
  if (isDone && stopping.steps.length === 0) return IDLE;
  const unrest = missingCalm(fleet, 'moving');
  const beginning = unrest.length > 0 ? { ...IDLE, waits: unrest } : begin(fleet, due);
  return mergeTurns([stopping, going, ...held, beginning, refuseTargetless(fleet, due)]);
}

/** Whether slots of it are to go there, or it finishes what this operation has begun. */
function isWanted(fleet: Fleet, { pairs }: DueMoves, move: ActiveMove): boolean {
  const { source, target, slots } = move;
  const isPair = (pair: { readonly source: string; readonly target: string }) =>
    pair.source === source && pair.target === target;
  if (pairs.some((due) => isPair({ source: due.source.node.key, target: due.target.node.key }))) {
    return true;
  }
  if (listTriedPairs(fleet.attempts).some(isPair)) return true;
  const shard = fleet.shards.find(({ owner }) => owner?.node.key === target)?.shard;
  const moved = toSlotSet(slots);
  return [...toSlotSet(shard?.slots ?? [])].some((slot) => moved.has(slot));
}

/** The steps of movers that are at work: an agent that has one of the same pair attaches to it. */
function goOn(fleet: Fleet, { pairs }: DueMoves): Turn {
  return mergeTurns(
    pairs.flatMap((due) => {
      const active = findActive(fleet, due);
      return active === undefined ? [] : [tryMove(fleet, moveStep(fleet, due, active.engine))];
    }),
  );
}

function findActive({ moves }: Fleet, { source, target }: DueMove): ActiveMove | undefined {
  return moves.find((move) => move.source === source.node.key && move.target === target.node.key);
}

interface Ready extends Candidate {
  readonly step: MoveSlotsStep;
}

function isReady(pair: Ready | Hold): pair is Ready {
  return 'step' in pair;
}

/** Of what is due and not at work, as much as may run at once. */
function begin(fleet: Fleet, { pairs, foreign }: DueMoves): Turn {
  const idle = pairs.filter((due) => findActive(fleet, due) === undefined);
  const judged = idle.map((due) => judge(fleet, due));
  const ready = judged.flatMap(({ ready: each }) => each ?? []);
  const halfOpen = ready.filter(({ isOpen }) => isOpen);
  const first = chooseWave(
    headsOf([...halfOpen, ...foreign.flatMap(holdOf)]).filter(isReady),
    fleet.moves,
  );
  // Slots that are open hold their ends, whoever opened them.
  const open = [...halfOpen, ...foreign.flatMap(holdOf)];
  const others = ready.filter(({ isOpen }) => !isOpen);
  const second = chooseWave(others, [...fleet.moves, ...open]);
  const chosen = [...first, ...second];
  const later = ready.filter((each) => !chosen.includes(each));
  return mergeTurns([
    stepping(...chosen.map(({ step }) => step)),
    ...judged.flatMap(({ turn }) => turn ?? []),
    ...later.map(({ source, target, slots }) =>
      waiting(target, `${countSlots(slots)} slots of ${source} come after those that move now`),
    ),
  ]);
}

interface Verdict {
  readonly ready?: Ready;
  readonly turn?: Turn;
}

function judge(fleet: Fleet, due: DueMove): Verdict {
  if (isHeld(fleet, due)) return {};
  const verdict = judgeMove(fleet, due);
  const isRefused = (verdict.turn?.blockers.length ?? 0) > 0;
  return due.isUndecided && isRefused ? {} : verdict;
}

function judgeMove(fleet: Fleet, due: DueMove): Verdict {
  const copyless = awaitCopies(fleet, due);
  if (copyless !== undefined) return { turn: copyless };
  const { node, redis } = due.target;
  if (due.open.length === 0 && redis.orphanKeys === undefined) {
    return { turn: waiting(node.key, 'keys in slots of others not counted yet') };
  }
  const choice = engineFor(fleet, due);
  if (choice.kind === 'refused') return { turn: { ...IDLE, blockers: [choice.finding] } };
  const { engine } = choice;
  const step = moveStep(fleet, due, engine);
  const turn = tryMove(fleet, step);
  if (turn.steps.length === 0) return { turn };
  const [source, target] = [due.source.node.key, due.target.node.key];
  const isOpen = due.open.length > 0;
  return { ready: { source, target, engine, slots: step.slots, isOpen, step } };
}

/** A shard that shall have replicas gets slots only while one of them has all that its master has. */
function awaitCopies(fleet: Fleet, { source, target }: DueMove): Turn | undefined {
  const owned = fleet.shards.find(({ owner }) => owner === target);
  const laidOut = fleet.layout.nodes.filter(
    (node) => node.shard === owned?.shard.id && node !== target.node && shallRun(fleet, node),
  );
  const copies = fleet.live.filter((live) => isInSync(live, target));
  if (laidOut.length === 0 || copies.length > 0) return undefined;
  // Who serves slots of its own becomes a replica once they are elsewhere: those wait for no copy.
  const isExtra = fleet.extras.some(({ owner }) => owner === source);
  if (isExtra && laidOut.every((node) => isServing(fleet, node))) return undefined;
  if (laidOut.some((node) => isComing(fleet, node, target))) {
    return waiting(target.node.key, 'gets slots once a replica of it is in sync');
  }
  // What is done about it, or why nothing is, is said elsewhere.
  if (laidOut.some(({ host }) => isOnline(fleet, host))) return IDLE;
  return blocking({
    rule: 'target-without-replica',
    subject: target.node.key,
    message: `Node ${target.node.key} gets no slots: none of the replicas that it shall have is there.`,
    evidence: laidOut.map(({ key, host }) => `${key} is on host ${host}, which is not online`),
    remedy:
      `Bring ${[...new Set(laidOut.map(({ host }) => host))].join(', ')} back, then ` +
      `redrover cluster repair ${fleet.layout.cluster}`,
  });
}

/**
 * Not while it is master of another shard, which handoffs.ts ends after what can be moved now; nor, where a person is
 * needed for some node, unless it follows the master already.
 */
function isComing(fleet: Fleet, { host, key, shard }: LayoutNode, target: LiveNode): boolean {
  if (!isOnline(fleet, host)) return false;
  const live = fleet.liveByKey.get(key);
  if (live === undefined) return !fleet.isImpaired;
  const serves = fleet.shards.some(({ owner, shard: { id } }) => owner === live && id !== shard);
  return !serves && (!fleet.isImpaired || isAttached(live, target));
}

function isServing(fleet: Fleet, { key }: LayoutNode): boolean {
  const live = fleet.liveByKey.get(key);
  return live !== undefined && shardOwnedBy(fleet, live) !== undefined;
}

function holdOf({ source, target }: OpenSlotMove): Hold[] {
  if (source === undefined || target === undefined) return [];
  const engine: MoveEngine = 'migrate';
  return [{ source: source.node.key, target: target.node.key, engine }];
}

function describeForeign({ slot, source, target }: OpenSlotMove): Turn {
  return waiting(
    target?.node.key ?? '',
    `slot ${slot} is open from ${source?.node.key ?? ''} by somebody else's hand; it is settled ` +
      'once it has not changed for 60 s',
  );
}

function refuseTargetless(fleet: Fleet, { targetless }: DueMoves): Turn {
  return mergeTurns(
    targetless.map(({ owned, count }) => {
      const { shard, owner, doubt } = owned;
      // A change has all hosts, so it comes, unless a person is needed for it.
      const isComing = fleet.kind === 'change' && !fleet.isImpaired;
      if (owner !== undefined || isComing) return waiting(shard.id, doubt);
      return blocking({
        rule: 'target-without-master',
        subject: shard.id,
        message: `${count} slots are to go to shard ${shard.id}, which has no master now.`,
        evidence: [doubt, `its slots: ${formatRanges(shard.slots)}`],
        remedy: `Bring its nodes back, then redrover cluster repair ${fleet.layout.cluster}`,
      });
    }),
  );
}
