/** Finds the known name that a mistyped one most likely meant. */

/** Beyond a third of its letters, a guess is more often confusing than helpful. */
const MAX_DISTANCE_SHARE = 1 / 3;

/** The nearest of `known`, letter case and `-`/`_` ignored; undefined when none is near. */
export function nearestName(given: string, known: readonly string[]): string | undefined {
  const wanted = simplify(given);
  let best: { name: string; distance: number } | undefined;
  for (const name of known) {
    const distance = editDistance(wanted, simplify(name));
    if (best === undefined || distance < best.distance) best = { name, distance };
  }
  if (best === undefined) return undefined;
  const limit = Math.max(1, Math.ceil(best.name.length * MAX_DISTANCE_SHARE));
  return best.distance <= limit ? best.name : undefined;
}

function simplify(name: string): string {
  // Longer text is no field name; the bound keeps the quadratic distance cheap.
  return name.slice(0, 64).toLowerCase().replaceAll(/[-_]/g, '');
}

/** Insertions, deletions and replacements of one letter (Levenshtein). */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const replaced = (previous[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1);
      const removed = (previous[column] ?? 0) + 1;
      const inserted = (current[column - 1] ?? 0) + 1;
      current.push(Math.min(replaced, removed, inserted));
    }
    previous = current;
  }
  return previous[to.length] ?? 0;
}
