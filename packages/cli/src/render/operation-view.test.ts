import { describe, expect, test } from 'vitest';

import { moveAttempt, moveReport, operationOf, view } from '../testing/examples.ts';
import { renderOperation, renderOperations, toOperationsResult } from './operation-view.ts';

const tooLarge = {
  slot: 7,
  rule: 'key-too-large',
  message: 'the key k is too large',
  evidence: ['h1:6379 holds 3 keys'],
  remedy: 'split it',
};

const undecided = operationOf({
  kind: 'change',
  reason: 'scale to 4 shards',
  state: 'needs-decision',
  endedAtMs: 12_000,
  message: 'the key k is too large; split it',
});

const attempts = [
  moveAttempt({ outcome: 'failed', errorCode: 'cancelled', message: 'stopped on request' }),
  moveAttempt({
    startedAtMs: 11_500,
    endedAtMs: 12_000,
    move: moveReport({ quarantined: [tooLarge] }),
  }),
];

describe('an operation that moved slots', () => {
  test('is shown with its journal, what was moved, and what is left to decide, once', () => {
    const details = { operation: undecided, attempts, waits: [] };
    expect(renderOperation(details, view, 20_000).split('\n')).toEqual([
      'op1: scale to 4 shards (shop), layout 1, needs-decision (12 s)',
      '',
      'AT     TOOK   OUTCOME  STEP                                 REMARK',
      '+1 s   10 s   stopped  moveSlots h1:6379 > h4:6379 migrate  stopped on request',
      '+12 s  0.5 s  ok       moveSlots h1:6379 > h4:6379 migrate',
      '',
      'moved 2730 slots, 166,666 keys, 24 MiB in 11 s (15,873 keys/s); no command blocked a node for longer',
      'than 4.2 ms',
      '',
      '1 slot left for a person to decide',
      'slot 7: the key k is too large (key-too-large)',
      '    h1:6379 holds 3 keys',
      '    → split it',
    ]);
  });

  test('says how slots are moved where that was asked for', () => {
    const move = { ...undecided.move, pace: 'fast' as const };
    const details = { operation: { ...undecided, move }, attempts, waits: [] };
    expect(renderOperation(details, view, 20_000)).toContain('slots are moved with: fast\n');
    const without = { operation: { ...undecided, move }, attempts: [], waits: [] };
    expect(renderOperation(without, view, 20_000)).not.toContain('slots are moved');
  });

  test('gives scripts the sum of it, and every slot that is left', () => {
    const [ended] = [toOperationsResult([{ operation: undecided, moves: attempts }], 'single')];
    expect(ended).toMatchObject({
      state: 'needs-decision',
      moved: { slots: 2730, keys: 166_666, quarantined: [tooLarge] },
    });
    expect(toOperationsResult([{ operation: undecided }], 'single')).not.toHaveProperty('moved');
  });
});

test('in the list a long message is cut between words; op show has all of it', () => {
  const message = `${'word '.repeat(30)}end\nsecond line`;
  const text = renderOperations([{ ...undecided, message }], view, 20_000);
  expect(text).toContain('…');
  expect(text).not.toContain('end');
  expect(text).toContain('needs-decision');
});
