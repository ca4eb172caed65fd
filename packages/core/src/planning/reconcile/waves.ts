/**
 * Which moves may run at the same time.
 *
 * Never is a node source of one and target of another: a target's config epoch rises, and a source
 * that claims its slots with a higher epoch than the one that got them takes them back, and the
 * keys with them. The rest is about load, and about what the engines can.
 */
import type { NodeKey } from '../../model/layout.ts';
import type { MoveEngine } from '../../model/migration.ts';
import { countSlots, type SlotRange } from '../../model/slots.ts';

export interface Candidate {
  readonly source: NodeKey;
  readonly target: NodeKey;
  readonly engine: MoveEngine;
  readonly slots: readonly SlotRange[];
  /** Slots of it are half way: it comes before what begins anew. */
  readonly isOpen: boolean;
}

/** Ends of moves that are at work, or of slots that are open. */
export type Hold = Pick<Candidate, 'source' | 'target' | 'engine'>;

/** With more, the target's one thread is busy all the time and its clients wait. */
const SOURCES_PER_TARGET = 3;
/** An atomic engine streams to each target on its own. */
const TARGETS_PER_SOURCE = 3;

/** Those that may be begun now beside what holds nodes; in the order of the candidates. */
export function chooseWave<T extends Candidate>(
  candidates: readonly T[],
  held: readonly Hold[],
): T[] {
  const roles = new Map<NodeKey, 'source' | 'target'>();
  const asSource = new Map<NodeKey, number>();
  const asTarget = new Map<NodeKey, number>();
  const disjoint = new Set<NodeKey>();
  const take = ({ source, target, engine }: Hold) => {
    roles.set(source, 'source').set(target, 'target');
    asSource.set(source, (asSource.get(source) ?? 0) + 1);
    asTarget.set(target, (asTarget.get(target) ?? 0) + 1);
    // The server takes part in one task at a time, in whichever role.
    if (engine === 'redis-atomic') disjoint.add(source).add(target);
  };
  held.forEach(take);
  const loadOf = ({ source, target }: Hold) =>
    (asTarget.get(target) ?? 0) + (asSource.get(source) ?? 0);
  const isFree = ({ source, target, engine }: Hold) => {
    if ((roles.get(source) ?? 'source') !== 'source') return false;
    if ((roles.get(target) ?? 'target') !== 'target') return false;
    if (disjoint.has(source) || disjoint.has(target)) return false;
    if (engine === 'redis-atomic') return !roles.has(source) && !roles.has(target);
    const mostTargets = engine === 'migrate' ? 1 : TARGETS_PER_SOURCE;
    return (
      (asSource.get(source) ?? 0) < mostTargets && (asTarget.get(target) ?? 0) < SOURCES_PER_TARGET
    );
  };
  const chosen = new Set<T>();
  let left = [...candidates];
  for (;;) {
    left = left.filter((candidate) => !chosen.has(candidate) && isFree(candidate));
    const next = pickNext(left, loadOf);
    if (next === undefined) return candidates.filter((candidate) => chosen.has(candidate));
    chosen.add(next);
    take(next);
  }
}

/** Half open slots first, then where least is going on, then the largest. */
function pickNext<T extends Candidate>(
  candidates: readonly T[],
  loadOf: (candidate: T) => number,
): T | undefined {
  let best: T | undefined;
  for (const candidate of candidates) {
    if (best === undefined || compare(candidate, best, loadOf) < 0) best = candidate;
  }
  return best;
}

function compare<T extends Candidate>(a: T, b: T, loadOf: (candidate: T) => number): number {
  return (
    Number(b.isOpen) - Number(a.isOpen) ||
    loadOf(a) - loadOf(b) ||
    countSlots(b.slots) - countSlots(a.slots)
  );
}
