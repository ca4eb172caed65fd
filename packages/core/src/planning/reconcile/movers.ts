/**
 * The movers of the cluster that are, or may be, at work: what their agents report, and what the
 * journal says was begun a moment ago. Whose ends they are is left alone meanwhile.
 */
import type { LayoutNode, NodeKey } from '../../model/layout.ts';
import type { MoveEngine } from '../../model/migration.ts';
import type { SlotRange } from '../../model/slots.ts';
import type { AttemptIndex } from '../attempts.ts';
import type { PlanInput } from '../situation.ts';
import { waiting, type Turn } from '../turn.ts';

/** One task, from one node to another. */
export interface ActiveMove {
  readonly source: NodeKey;
  readonly target: NodeKey;
  readonly engine: MoveEngine;
  /** Where its agent is; empty: not reported yet. */
  readonly host: string;
  readonly slots: readonly SlotRange[];
  /** It was told to, and an end may be in its way that hangs. */
  readonly isStopping: boolean;
}

/**
 * An agent reports each second. What was begun and is not reported after this time is not there:
 * the controller that began it may be dead.
 */
const REPORT_LIMIT_MS = 30_000;
/**
 * A mover whose lease has lapsed stops at the end of its window; that takes no longer than a few
 * commands of a second each.
 */
const LAPSE_LIMIT_MS = 60_000;

export function listActiveMoves(
  { layout, observation, now }: PlanInput,
  attempts: AttemptIndex,
): ActiveMove[] {
  const reported = Object.values(observation.hosts).flatMap(({ name, status, movers }) =>
    movers.flatMap(
      ({ cluster, source, target, engine, slots, leaseUntilMs, state }): ActiveMove[] => {
        if (cluster !== layout.cluster) return [];
        // Its agent is away, so whether it goes on is not known until its lease is over.
        if (status !== 'online' && now > leaseUntilMs + LAPSE_LIMIT_MS) return [];
        const isStopping = state === 'stopping';
        return [{ source, target, engine, host: name, slots, isStopping }];
      },
    ),
  );
  const known = new Set(reported.map(({ source, target }) => `${source} > ${target}`));
  const begun = listBegun(attempts, now).filter(
    ({ source, target }) => !known.has(`${source} > ${target}`),
  );
  return [...reported, ...begun];
}

const PREFIX = 'moveSlots ';

/** Pairs of nodes between which this operation has moved slots, or tried to. */
export function listTriedPairs(attempts: AttemptIndex): { source: NodeKey; target: NodeKey }[] {
  return [...attempts.keys()].flatMap((key) => pairOfKey(key) ?? []);
}

/** Whether this operation has moved slots from or to the node, or tried to. */
export function wasMoveEnd(attempts: AttemptIndex, key: NodeKey): boolean {
  return listTriedPairs(attempts).some(({ source, target }) => source === key || target === key);
}

function listBegun(attempts: AttemptIndex, now: number): ActiveMove[] {
  return [...attempts].flatMap(([key, list]): ActiveMove[] => {
    const last = list.at(-1);
    if (last?.outcome !== 'running') return [];
    const sinceMs = now - last.startedAtMs;
    if (sinceMs < 0 || sinceMs >= REPORT_LIMIT_MS) return [];
    const parsed = pairOfKey(key);
    return parsed === undefined ? [] : [{ ...parsed, host: '', slots: [], isStopping: false }];
  });
}

/** Of a `moveSlots`: reads back what `stepKey` writes. */
export function pairOfKey(
  key: string,
): { source: NodeKey; target: NodeKey; engine: MoveEngine } | undefined {
  if (!key.startsWith(PREFIX)) return undefined;
  const [source = '', , target = '', engine = ''] = key.slice(PREFIX.length).split(' ');
  return { source, target, engine: engine as MoveEngine };
}

interface WithMoves {
  readonly moves: readonly ActiveMove[];
}

/** The task that works on one of these nodes; undefined: none does. */
export function moveOn(
  { moves }: WithMoves,
  nodes: readonly (Pick<LayoutNode, 'key'> | undefined)[],
): ActiveMove | undefined {
  const keys = new Set(nodes.map((node) => node?.key));
  return moves.find(({ source, target }) => keys.has(source) || keys.has(target));
}

export function awaitMove(subject: string, { source, target }: ActiveMove): Turn {
  return waiting(subject, `slots move from ${source} to ${target}`);
}
