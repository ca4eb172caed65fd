/**
 * Of equally many moves, better ones: another node of the same host goes, or two go to each other's
 * host, as long as the layout that comes of it gets better.
 */
import { nodeKey, busPortOf, type Layout, type LayoutNode } from '../../model/layout.ts';
import { compareScores, type Score } from '../score.ts';
import type { NodeMove, Spreading } from './choose-moves.ts';

/** Layouts looked at × nodes², as each costs time for every node and host: about half a second. */
const MAX_WORK = 2_000_000;

/** As many as a small cluster could want. */
const MAX_TRIES = 2000;

/** A layout with the moves done: how good it is, and how many nodes get another role. */
export interface Outcome {
  readonly score: Score;
  readonly roleChanges: number;
}

export function improveMoves(
  spreading: Spreading,
  start: readonly NodeMove[],
  judge: (layout: Layout) => Outcome,
): readonly NodeMove[] {
  let tries = Math.min(MAX_TRIES, Math.floor(MAX_WORK / spreading.layout.nodes.length ** 2));
  let best = start;
  let bestOutcome = judge(withMoves(spreading.layout, start));
  for (let improved = true; improved && tries > 0;) {
    improved = false;
    for (const other of neighbours(spreading, best)) {
      tries -= 1;
      if (tries < 0) break;
      const outcome = judge(withMoves(spreading.layout, other));
      if (compareOutcomes(outcome, bestOutcome) >= 0) continue;
      [best, bestOutcome, improved] = [other, outcome, true];
      break;
    }
  }
  return best;
}

/** Negative when `a` is better. */
export function compareOutcomes(a: Outcome, b: Outcome): number {
  return compareScores(a.score, b.score) || a.roleChanges - b.roleChanges;
}

/** The nodes on their new hosts; ports are given later. */
export function withMoves(layout: Layout, moves: readonly NodeMove[]): Layout {
  const targets = new Map(moves.map(({ node, to }) => [node, to]));
  return {
    ...layout,
    nodes: layout.nodes.map((node) => {
      const to = targets.get(node);
      return to === undefined ? node : moveTo(node, { host: to, port: node.port });
    }),
  };
}

export function moveTo(
  node: LayoutNode,
  { host, port }: { readonly host: NodeMove['to']; readonly port: number },
): LayoutNode {
  return {
    ...node,
    key: nodeKey(host.name, port),
    host: host.name,
    address: host.address,
    port,
    busPort: busPortOf(port),
  };
}

function* neighbours(
  { loads }: Spreading,
  moves: readonly NodeMove[],
): Generator<readonly NodeMove[]> {
  const moving = new Set(moves.map(({ node }) => node));
  for (const [index, move] of moves.entries()) {
    const from = loads.find(({ host }) => host.name === move.node.host)?.nodes ?? [];
    for (const node of from) {
      if (!moving.has(node)) yield moves.with(index, { node, to: move.to });
    }
    for (const [at, other] of moves.entries()) {
      if (at <= index || other.to === move.to) continue;
      const swapped = moves.with(index, { node: move.node, to: other.to });
      yield swapped.with(at, { node: other.node, to: move.to });
    }
  }
}
