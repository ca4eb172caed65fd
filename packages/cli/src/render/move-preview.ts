/** What a plan would move: a line for each pair of masters, and what all of them come to. */
import { countSlots, predictTotalMs } from '@redrover/core';
import type { PlannedMove } from '@redrover/core';

import type { View } from '../output/output.ts';
import type { Style } from '../output/style.ts';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatLatency,
  formatNumber,
} from '../output/units.ts';
import { wrapText } from '../output/wrap.ts';
import { showKeyName } from './key-name.ts';
import { compareText } from './plan-view.ts';

// A drained shard of a large cluster may have a hundred targets; JSON has them all.
const MAX_PAIRS = 24;

// Above it a slot is left where it is by default; a block of the whole timeout looks like a death.
const LONG_SHARE_OF_NODE_TIMEOUT = 1 / 4;

export interface PreviewInput {
  readonly moves: readonly PlannedMove[];
  readonly nodeTimeoutMs: number;
}

export function renderMovePreview({ moves, nodeTimeoutMs }: PreviewInput, view: View): string {
  const engines = [...new Set(moves.map(({ engine }) => engine))];
  const shown = pickLargest(moves);
  const rows = shown.map((move) => [
    `${move.from} ${move.source}`,
    `${move.to} ${move.target}`,
    String(countSlots(move.slots)),
    formatNumber(move.keys),
    `${move.complete ? '' : '~'}${formatBytes(move.bytes)}`,
    ...(engines.length > 1 ? [move.engine] : []),
    describeLargestKey(move),
    paintBlocking(move.blockingMs, nodeTimeoutMs, view.style),
    formatDuration(move.durationMs),
  ]);
  const engineColumn = engines.length > 1 ? ['ENGINE'] : [];
  const columns = ['FROM', 'TO', 'SLOTS', 'KEYS', 'DATA', ...engineColumn];
  const more = moves.length - shown.length;
  return [
    view.table([...columns, 'LARGEST KEY', 'BLOCKS', 'TAKES'], rows),
    ...(more > 0 ? [`and ${formatCount(more, 'smaller pair')}`] : []),
    ...describeTotals(moves, engines).map((line) => wrapText(line, { width: view.width })),
  ].join('\n');
}

/** By shard; of too many the ones with the most data. */
function pickLargest(moves: readonly PlannedMove[]): PlannedMove[] {
  const picked =
    moves.length <= MAX_PAIRS + 1
      ? [...moves]
      : [...moves].sort((a, b) => b.bytes - a.bytes).slice(0, MAX_PAIRS);
  return picked.sort((a, b) => compareText(a.from, b.from) || compareText(a.to, b.to));
}

/** A source tells the largest key of all that leave it: the other pairs have smaller ones. */
function describeLargestKey({ largestKey, keys }: PlannedMove): string {
  if (largestKey === undefined) return keys === 0 ? '' : 'smaller ones';
  const { name, type, bytes } = largestKey;
  return `${showKeyName(name)} (${type}, ${formatBytes(bytes)})`;
}

function paintBlocking(blockingMs: number, nodeTimeoutMs: number, style: Style): string {
  const text = formatLatency(blockingMs);
  return blockingMs > nodeTimeoutMs * LONG_SHARE_OF_NODE_TIMEOUT ? style.caution(text) : text;
}

function describeTotals(moves: readonly PlannedMove[], engines: readonly string[]): string[] {
  const sum = (of: (move: PlannedMove) => number): number =>
    moves.reduce((total, move) => total + of(move), 0);
  const isComplete = moves.every(({ complete }) => complete);
  const slots = sum((move) => countSlots(move.slots));
  const keys = sum((move) => move.keys);
  const bytes = sum((move) => move.bytes);
  const engine = engines.length === 1 ? ` with the ${engines.join()} engine` : '';
  const total =
    `In all ${formatCount(slots, 'slot')}, ${formatNumber(keys)} ${keys === 1 ? 'key' : 'keys'}, ` +
    `${isComplete ? '' : 'about '}${formatBytes(bytes)}${engine}; ` +
    `predicted to take ${formatDuration(predictTotalMs(moves))}.`;
  if (isComplete) return [total];
  return [
    total,
    '~ sampled, not every key was looked at: sizes are estimates, and there may be larger keys.',
  ];
}
