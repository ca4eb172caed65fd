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
  const table = new Table({
    chars: NO_LINES,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
    colWidths: fitColumns(naturalWidths(columns, rows), width),
    wordWrap: true,
    wrapOnWordBoundary: true,
  });
  table.push(columns.map((column) => style.faint(column)));
  for (const row of rows) table.push([...row]);
  const lines = table.toString().split('\n');
  return lines.map((line) => line.trimEnd()).join('\n');
}

/** Columns of equal importance give way from the widest down, until all fit or none can shrink. */
export function fitColumns(natural: readonly number[], width: number): number[] {
  const widths = [...natural];
  const available = width - GAP.length * (widths.length - 1);
  let excess = widths.reduce((sum, each) => sum + each, 0) - available;
  for (; excess > 0; excess -= 1) {
    const widest = Math.max(...widths);
    if (widest <= MIN_COLUMN_WIDTH) break;
    widths[widths.indexOf(widest)] = widest - 1;
  }
  return widths;
}

function naturalWidths(columns: readonly string[], rows: readonly (readonly string[])[]): number[] {
  return columns.map((column, index) => {
    const cells = rows.map((row) => row[index] ?? '');
    const lines = [column, ...cells].flatMap((cell) => stripVTControlCharacters(cell).split('\n'));
    // At least one: cli-table3 takes a width of 0 for "not given".
    return Math.max(1, ...lines.map((line) => line.length));
  });
}
