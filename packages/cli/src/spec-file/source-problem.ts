/** Shows what is wrong with a text the way a compiler does: file, line, column, the line, a caret. */
import type { Style } from '../output/style.ts';

export interface SourceProblem {
  /** From 1. */
  readonly line: number;
  /** From 1, in characters. */
  readonly column: number;
  /** Characters to underline, at least 1. */
  readonly length: number;
  readonly message: string;
}

export interface SourceText {
  /** As the operator named it; `<stdin>` for a pipe. */
  readonly fileName: string;
  readonly text: string;
}

// A longer line (a pasted key, say) is cut, so that the caret stays in sight.
const MAX_LINE_LENGTH = 100;

export function renderProblems(
  source: SourceText,
  problems: readonly SourceProblem[],
  style: Style,
): string {
  const lines = source.text.split(/\r\n|\n|\r/);
  return problems
    .toSorted((a, b) => a.line - b.line || a.column - b.column)
    .map((problem) => renderProblem(source.fileName, lines[problem.line - 1] ?? '', problem, style))
    .join('\n');
}

function renderProblem(
  fileName: string,
  line: string,
  problem: SourceProblem,
  style: Style,
): string {
  const position = `${fileName}:${problem.line}:${problem.column}:`;
  const headline = `${style.strong(position)} ${style.bad('error:')} ${problem.message}`;
  const skipped = Math.max(0, problem.column - 1 - MAX_LINE_LENGTH / 2);
  const shown = line.slice(skipped, skipped + MAX_LINE_LENGTH);
  if (shown.trim() === '') return headline;
  const gutter = String(problem.line).padStart(5);
  const offset = problem.column - 1 - skipped;
  // Tabs stay tabs, so that the caret lands under what it means.
  const indent = shown.slice(0, offset).replaceAll(/[^\t]/g, ' ').padEnd(offset);
  const length = Math.max(1, Math.min(problem.length, shown.length - offset));
  const carets = style.bad('^'.repeat(length));
  return `${headline}\n${style.faint(`${gutter} |`)} ${shown}\n${' '.repeat(5)} ${style.faint('|')} ${indent}${carets}`;
}
