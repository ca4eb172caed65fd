/** What is wrong with a spec, and how it is shown. */

export type SpecPath = readonly (string | number)[];

/** One thing that is wrong: where, and what was received, what is expected, what to do. */
export interface SpecProblem {
  readonly path: SpecPath;
  readonly message: string;
}

/** `nodes[0].port: got 60000; …`, as a person reads it. */
export function formatSpecProblem(problem: SpecProblem): string {
  const path = problem.path
    .map((part, index) => {
      if (typeof part === 'number') return `[${part}]`;
      return index === 0 ? part : `.${part}`;
    })
    .join('');
  return path === '' ? problem.message : `${path}: ${problem.message}`;
}
