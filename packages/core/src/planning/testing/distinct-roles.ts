/** The rule of waves, for every turn of every test world. */
import type { Step } from '../../model/step.ts';

/** Never is a node source of one move and target of another, in one turn or beside what is at work. */
export function assertDistinctRoles(steps: readonly Step[]): void {
  const moves = steps.filter((step) => step.kind === 'moveSlots');
  const sources = new Set(moves.map(({ source }) => source.node));
  const both = moves.find(({ target }) => sources.has(target.node));
  if (both !== undefined) throw new Error(`${both.target.node} is source and target at once`);
}
