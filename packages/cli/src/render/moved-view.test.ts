import { DEFAULT_MOVE_OPTIONS } from '@redrover/core';
import type { QuarantinedSlot } from '@redrover/core';
import { describe, expect, test } from 'vitest';

import { moveAttempt, moveReport, view, viewOf } from '../testing/examples.ts';
import { summarizeMoved } from './moved-summary.ts';
import { describeMoveOptions, renderMoved, withoutDecisions } from './moved-view.ts';

const tooLarge: QuarantinedSlot = {
  slot: 4711,
  rule: 'key-too-large',
  message: 'the key cart:1 takes 96 MiB, more than --max-key-bytes allows (64 MiB)',
  evidence: ['h1:6379 owns it, 12 keys', 'h4:6379 has no key of it'],
  remedy: 'redrover cluster move-slots shop --slots 4711 --to s4 --max-key-bytes 128mb',
};

const attempts = [
  moveAttempt({ outcome: 'failed', move: moveReport({ slotsMoved: 600, keysMoved: 40_000 }) }),
  moveAttempt({
    startedAtMs: 21_000,
    endedAtMs: 31_000,
    move: moveReport({ slotsMoved: 764, blockedMs: 7, quarantined: [tooLarge] }),
  }),
  moveAttempt({
    stepKey: 'moveSlots h2:6379 > h4:6379 migrate',
    startedAtMs: 6_000,
    endedAtMs: 16_000,
    move: moveReport({ notes: ['h4:6379 was replaced by h5:6379 meanwhile'] }),
  }),
];

function summaryOf(of = attempts) {
  const summary = summarizeMoved(of);
  if (summary === null) throw new Error('nothing was to be moved');
  return summary;
}

describe('what was moved', () => {
  test('adds up over attempts and pairs; time that overlaps counts once', () => {
    expect(summaryOf()).toMatchObject({
      slots: 600 + 764 + 1365,
      keys: 40_000 + 2 * 83_333,
      bytes: 3 * 12_582_912,
      durationMs: 25_000,
      keysPerS: 8267,
      blockedMs: 7,
      pairs: [
        { source: 'h1:6379', target: 'h4:6379', engine: 'migrate', attempts: 2, slots: 1364 },
        { source: 'h2:6379', target: 'h4:6379', engine: 'migrate', attempts: 1, slots: 1365 },
      ],
      quarantined: [tooLarge],
    });
  });

  test('is nothing where no slots were to be moved', () => {
    expect(
      summarizeMoved([moveAttempt({ stepKey: 'startNode h1:1', move: undefined })]),
    ).toBeNull();
  });

  test('is told with what is left to a person, and why', () => {
    expect(renderMoved(summaryOf(), 'needs-decision', view).split('\n')).toEqual([
      'moved 2729 slots, 206,666 keys, 36 MiB in 25 s (8,267 keys/s); no command blocked a node for longer',
      'than 7 ms',
      '',
      'FROM     TO       ENGINE   SLOTS  KEYS     DATA    TOOK  KEYS/S  BLOCKED',
      'h1:6379  h4:6379  migrate  1364   123,333  24 MiB  20 s  6,167   7 ms',
      'h2:6379  h4:6379  migrate  1365   83,333   12 MiB  10 s  8,333   4.2 ms',
      '',
      'note: h4:6379 was replaced by h5:6379 meanwhile',
      '',
      '1 slot left for a person to decide',
      'slot 4711: the key cart:1 takes 96 MiB, more than --max-key-bytes allows (64 MiB)',
      '(key-too-large)',
      '    h1:6379 owns it, 12 keys',
      '    h4:6379 has no key of it',
      '    → redrover cluster move-slots shop --slots 4711 --to s4 --max-key-bytes 128mb',
    ]);
  });

  test('of one pair needs no table, and nothing moved no figures', () => {
    const one = renderMoved(summaryOf([moveAttempt()]), 'done', view);
    expect(one.split('\n')).toHaveLength(2);
    const none = [moveAttempt({ move: undefined, outcome: 'failed' })];
    expect(renderMoved(summaryOf(none), 'cancelled', view)).toBe('no slot was moved');
  });

  test('asks nobody to decide once all is done', () => {
    expect(renderMoved(summaryOf(), 'done', view)).not.toContain('decide');
    expect(renderMoved(summaryOf(), 'cancelled', view)).toContain('slot 4711');
  });

  test('fits the terminal, with hundreds of slots that are left, too', () => {
    const quarantined = Array.from({ length: 300 }, (_, slot) => ({ ...tooLarge, slot }));
    const many = summaryOf([moveAttempt({ move: moveReport({ quarantined }) })]);
    const lines = renderMoved(many, 'needs-decision', viewOf(80)).split('\n');
    expect(lines.at(-1)).toBe('and 288 slots more (-o json has all of them)');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  });
});

test('of the options only what was asked for is told', () => {
  expect(describeMoveOptions(DEFAULT_MOVE_OPTIONS)).toBe('');
  const all = {
    engine: 'migrate',
    pace: 'fast',
    maxLatencyMs: 20,
    rateBytesPerS: 20_971_520,
    maxKeyBytes: 67_108_864,
  } as const;
  expect(describeMoveOptions(all)).toBe(
    'engine migrate, fast, commands of 20 ms at most, 20 MiB/s of each source at most, ' +
      'no key above 64 MiB',
  );
});

test('of a message what is told of each slot is left out, and nothing else', () => {
  const summary = summaryOf();
  const told = `${tooLarge.message}; ${tooLarge.remedy}`;
  expect(withoutDecisions(told, summary)).toBe('');
  expect(withoutDecisions(`${told}\nand 2 more`, summary)).toBe('');
  expect(withoutDecisions(`${told}\nhost h3 is lost`, summary)).toBe('host h3 is lost');
  expect(withoutDecisions('host h3 is lost\nand 2 more', summary)).toBe(
    'host h3 is lost\nand 2 more',
  );
  expect(withoutDecisions('cancelled', null)).toBe('cancelled');
  expect(withoutDecisions('', summary)).toBe('');
});
