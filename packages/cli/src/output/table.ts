/** Tables without lines, as wide as the terminal: the widest columns wrap first. */
import Table from 'cli-table3';
import { stripVTControlCharacters } from 'node:util';

import type { Style } from './style.ts';

export interface TableInput {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly style: Style;
  readonly width: number;
}

const GAP = '  ';

// A column is never squeezed below this: what is left would not be readable.
const MIN_COLUMN_WIDTH = 12;

// A path that is longer may be broken before the other columns are squeezed.
const MAX_UNBROKEN_WORD = 32;

const NO_LINES = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: GAP,
};

export function renderTable({ columns, rows, style, width }: TableInput): string {
  const widths = fitColumns(measureColumns(columns, rows), width);
  const table = new Table({
    chars: NO_LINES,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
    colWidths: widths,
    wordWrap: true,
    wrapOnWordBoundary: true,
  });
  table.push(columns.map((column) => style.faint(column)));
  for (const row of rows) {
    table.push(row.map((cell, index) => breakLongWords(cell, widths[index] ?? cell.length)));
  }
  const lines = table.toString().split('\n');
  return lines.map((line) => line.trimEnd()).join('\n');
}

export interface ColumnMeasure {
  /** Wide enough for every cell on one line. */
  readonly natural: number;
  /** Wide enough for the longest word. */
  readonly longestWord: number;
}

/** The widest columns give way first, down to their longest word; only then are words broken. */
export function fitColumns(columns: readonly ColumnMeasure[], width: number): number[] {
  const widths = columns.map(({ natural }) => natural);
  const available = width - GAP.length * (widths.length - 1);
  const excess = () => widths.reduce((sum, each) => sum + each, 0) - available;
  shrinkWidest(widths, excess(), (index) => columns[index]?.longestWord ?? 1);
  shrinkWidest(widths, excess(), () => MIN_COLUMN_WIDTH);
  return widths;
}

function shrinkWidest(widths: number[], by: number, least: (index: number) => number): void {
  for (let left = by; left > 0; left -= 1) {
    const shrinkable = widths.map((width, index) => (width > least(index) ? width : 0));
    const widest = Math.max(...shrinkable);
    if (widest === 0) return;
    widths[shrinkable.indexOf(widest)] = widest - 1;
  }
}

function measureColumns(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
): ColumnMeasure[] {
  return columns.map((column, index) => {
    const cells = [column, ...rows.map((row) => row[index] ?? '')].map(stripVTControlCharacters);
    // At least one: cli-table3 takes a width of 0 for "not given".
    const longest = (pattern: RegExp): number =>
      Math.max(1, ...cells.flatMap((cell) => cell.split(pattern)).map((part) => part.length));
    return {
      natural: longest(/\n/),
      longestWord: Math.min(MAX_UNBROKEN_WORD, longest(/\s/)),
    };
  });
}

/** cli-table3 cuts off a word that is too long for its column; here nothing is lost. */
function breakLongWords(cell: string, width: number): string {
  const fits = stripVTControlCharacters(cell)
    .split(/\s/)
    .every((word) => word.length <= width);
  if (fits) return cell;
  // Colours would be cut in two; what is that long is hardly ever coloured.
  return stripVTControlCharacters(cell)
    .split(' ')
    .map((word) => breakWord(word, width).join(' '))
    .join(' ');
}

/** Before a slash if there is one, as paths are what is long. */
function breakWord(word: string, width: number): string[] {
  if (word.length <= width) return [word];
  const slash = word.lastIndexOf('/', width);
  const at = slash > 0 ? slash : width;
  return [word.slice(0, at), ...breakWord(word.slice(at), width)];
}
