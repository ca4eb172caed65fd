/** A pair of masters whose slots are on their way, as text: bars on a terminal, a line in a pipe. */
import type { MoveProgress } from '@redrover/core';
import { stripVTControlCharacters } from 'node:util';

import type { Style } from '../output/style.ts';
import { formatBytes, formatDuration, formatLatency, formatNumber } from '../output/units.ts';
import { bar } from './display.ts';
import type { PairProgress } from './operation-progress.ts';

const BAR_WIDTH = 16;
const GAP = '  ';
const INDENT = '    ';

export interface PairTextInput {
  readonly pairs: readonly PairProgress[];
  readonly width: number;
  /** Lines that there is room for. */
  readonly height: number;
  readonly style: Style;
}

/**
 * A line for each pair where it fits; on a narrow terminal two, the second as long as there is room.
 * Pairs that do not fit are counted.
 */
export function pairLines({ pairs, width, height, style }: PairTextInput): string[] {
  const wide = align(
    pairs.map((pair) => [...headCells(pair, style), ...amountCells(pair), describeState(pair.now)]),
  );
  const isWide = wide.every((line) => lengthOf(line) <= width);
  const lines = isWide ? wide.map((line) => [line]) : twoLines(pairs, width, style);
  const perPair = isWide ? 1 : 2;
  // One line is kept for those that are only counted.
  const fitting = Math.max(1, Math.floor((height - 1) / perPair));
  const shown = lines.length * perPair <= height ? lines : lines.slice(0, fitting);
  const more = lines.length - shown.length;
  return [...shown.flat(), ...(more > 0 ? [`${INDENT}and ${more} more pairs`] : [])];
}

function twoLines(pairs: readonly PairProgress[], width: number, style: Style): string[][] {
  const heads = align(pairs.map((pair) => [...headCells(pair, style), describeState(pair.now)]));
  return pairs.map((pair, index) => {
    const amounts = amountCells(pair).filter((cell) => cell !== '');
    let line = '';
    for (const amount of amounts) {
      const longer = line === '' ? amount : `${line}, ${amount}`;
      if (INDENT.length + longer.length > width) break;
      line = longer;
    }
    return [heads[index] ?? '', style.faint(`${INDENT}${line}`)];
  });
}

/** `h1:6379 → h4:6379 [████░░░░] 45 % 12 s left` */
function headCells({ now }: PairProgress, style: Style): string[] {
  const fraction = fractionDone(now);
  const leftMs = timeLeftMs(now);
  return [
    `${now.source} → ${now.target}`,
    style.accent(bar(fraction, BAR_WIDTH)),
    `${Math.floor(fraction * 100)} %`.padStart(5),
    leftMs === undefined ? '' : `${formatDuration(leftMs)} left`,
  ];
}

/** The ones that are missed least come last. */
function amountCells({ now, longestBlockedMs }: PairProgress): string[] {
  return [
    `${now.slotsDone}/${now.slotsTotal} slots`,
    `${formatNumber(now.keysDone)}/${formatNumber(now.keysTotal)} keys`,
    `${formatNumber(now.keysPerS)} keys/s`,
    `blocked ${formatLatency(longestBlockedMs)} at most`,
    `${formatBytes(now.bytesDone)} of ${formatBytes(Math.max(now.bytesTotal, now.bytesDone))}`,
    `${formatBytes(Math.round(now.bytesPerS))}/s`,
  ];
}

/** All of it on one line, for a pipe. */
export function pairLine(pair: PairProgress): string {
  const { now } = pair;
  const leftMs = timeLeftMs(now);
  const facts = [
    `${Math.floor(fractionDone(now) * 100)} %`,
    ...amountCells(pair),
    ...(leftMs === undefined ? [] : [`${formatDuration(leftMs)} left`]),
    describeState(now),
  ];
  return `${now.source} → ${now.target}: ${facts.filter((fact) => fact !== '').join(', ')}`;
}

function describeState({ state, quarantinedSlots }: MoveProgress): string {
  const left =
    quarantinedSlots === 0
      ? ''
      : `${quarantinedSlots} ${quarantinedSlots === 1 ? 'slot' : 'slots'} left for a person`;
  return [state, left].filter((each) => each !== '').join(', ');
}

/** By what is furthest: engines do not all count keys. Whole only with the last slot. */
export function fractionDone(now: MoveProgress): number {
  if (now.slotsTotal > 0 && now.slotsDone >= now.slotsTotal) return 1;
  const share = (done: number, total: number): number => (total > 0 ? done / total : 0);
  const furthest = Math.max(
    share(now.slotsDone, now.slotsTotal),
    share(now.keysDone, now.keysTotal),
    share(now.bytesDone, now.bytesTotal),
  );
  return Math.min(0.99, furthest);
}

/** At the rate of now; undefined where there is none, or nothing that could be told by it. */
export function timeLeftMs(now: MoveProgress): number | undefined {
  if (fractionDone(now) === 1) return undefined;
  const left = (done: number, total: number, perS: number): number =>
    perS > 0 && total > done ? ((total - done) / perS) * 1000 : 0;
  const longestMs = Math.max(
    left(now.keysDone, now.keysTotal, now.keysPerS),
    left(now.bytesDone, now.bytesTotal, now.bytesPerS),
  );
  return longestMs > 0 ? longestMs : undefined;
}

function align(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => lengthOf(row[column] ?? ''))),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => `${cell}${' '.repeat((widths[column] ?? 0) - lengthOf(cell))}`)
      .filter((_, column) => (widths[column] ?? 0) > 0)
      .join(GAP)
      .trimEnd(),
  );
}

function lengthOf(text: string): number {
  return stripVTControlCharacters(text).length;
}
