/** What was moved, and what a person has to decide, for people. */
import type { MoveOptions, OperationState, QuarantinedSlot } from '@redrover/core';

import type { View } from '../output/output.ts';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatLatency,
  formatNumber,
} from '../output/units.ts';
import { wrapText } from '../output/wrap.ts';
import type { MovedPair, MovedSummary, MovedTotals } from './moved-summary.ts';

// Of each a person reads the evidence; JSON has them all.
const MAX_QUARANTINED = 12;
const MAX_NOTES = 12;
const MAX_PAIRS = 24;

export function renderMoved(moved: MovedSummary, state: OperationState, view: View): string {
  const { style, width } = view;
  const lines = [wrapText(describeTotals(moved, state), { width })];
  const pairs = moved.pairs.slice(0, MAX_PAIRS);
  if (moved.pairs.length > 1) lines.push('', renderPairs(pairs, view));
  const more = moved.pairs.length - pairs.length;
  if (more > 0) lines.push(`and ${formatCount(more, 'pair')} more (-o json has all of them)`);
  if (moved.notes.length > 0) {
    const notes = moved.notes.slice(0, MAX_NOTES).map((note) => `note: ${note}`);
    lines.push('', ...notes.map((note) => wrapText(note, { width, indent: 6 })));
  }
  // What waited for a person, and was done in the end, needs nobody any more.
  if (moved.quarantined.length > 0 && state !== 'done') {
    const title = `${formatCount(moved.quarantined.length, 'slot')} left for a person to decide`;
    lines.push('', style.strong(title), ...renderQuarantined(moved.quarantined, view));
  }
  return lines.join('\n');
}

function describeTotals(moved: MovedSummary, state: OperationState): string {
  const isOver = state !== 'running' && state !== 'paused';
  const what = `${isOver ? 'moved' : 'moved so far:'} ${describeAmounts(moved)}`;
  if (moved.slots === 0 && moved.keys === 0) return isOver ? 'no slot was moved' : what;
  return (
    `${what} in ${formatDuration(moved.durationMs)} (${formatNumber(moved.keysPerS)} keys/s); ` +
    `no command blocked a node for longer than ${formatLatency(moved.blockedMs)}`
  );
}

/** `1365 slots, 83,333 keys, 12 MiB` */
export function describeAmounts({
  slots,
  keys,
  bytes,
}: Pick<MovedTotals, 'slots' | 'keys' | 'bytes'>): string {
  const counted = `${formatNumber(keys)} ${keys === 1 ? 'key' : 'keys'}`;
  return `${formatCount(slots, 'slot')}, ${counted}, ${formatBytes(bytes)}`;
}

function renderPairs(pairs: readonly MovedPair[], view: View): string {
  const rows = pairs.map((pair) => [
    pair.source,
    pair.target,
    pair.engine,
    String(pair.slots),
    formatNumber(pair.keys),
    formatBytes(pair.bytes),
    formatDuration(pair.durationMs),
    formatNumber(pair.keysPerS),
    formatLatency(pair.blockedMs),
  ]);
  const columns = ['FROM', 'TO', 'ENGINE', 'SLOTS', 'KEYS', 'DATA', 'TOOK', 'KEYS/S', 'BLOCKED'];
  return view.table(columns, rows);
}

function renderQuarantined(slots: readonly QuarantinedSlot[], { style, width }: View): string[] {
  const shown = slots.slice(0, MAX_QUARANTINED);
  const more = slots.length - shown.length;
  const wrap = (text: string): string[] => wrapText(text, { width: width - 4 }).split('\n');
  const indent = (text: string): string[] => wrap(text).map((line) => `    ${line}`);
  return [
    ...shown.flatMap(({ slot, rule, message, evidence, remedy }) => [
      ...wrap(`${style.caution(`slot ${slot}`)}: ${message} (${rule})`),
      ...evidence.flatMap((line) => indent(line).map(style.faint)),
      ...(remedy === '' ? [] : indent(`${style.accent('→')} ${remedy}`)),
    ]),
    ...(more > 0 ? [`and ${formatCount(more, 'slot')} more (-o json has all of them)`] : []),
  ];
}

/**
 * The message of an operation without what is told of each slot that is left for a person, where
 * that follows in full; a line for each decision is how the controller writes it.
 */
export function withoutDecisions(message: string, moved: MovedSummary | null): string {
  const told = moved?.quarantined.map((slot) => slot.message) ?? [];
  const lines = message.split('\n');
  const others = lines.filter((line) => !told.some((each) => each !== '' && line.startsWith(each)));
  const isAllTold = others.every((line) => /^and \d+ more$/.test(line));
  return isAllTold && others.length < lines.length ? '' : others.join('\n');
}

/** Only what was asked for: `engine migrate, fast, commands of 5 ms at most`; empty for nothing. */
export function describeMoveOptions(move: MoveOptions): string {
  const { engine, pace, maxLatencyMs, rateBytesPerS, maxKeyBytes } = move;
  return [
    ...(engine === 'auto' ? [] : [`engine ${engine}`]),
    ...(pace === 'fast' ? ['fast'] : []),
    ...(maxLatencyMs === 0 ? [] : [`commands of ${formatLatency(maxLatencyMs)} at most`]),
    ...(rateBytesPerS === 0 ? [] : [`${formatBytes(rateBytesPerS)}/s of each source at most`]),
    ...(maxKeyBytes === 0 ? [] : [`no key above ${formatBytes(maxKeyBytes)}`]),
  ].join(', ');
}
