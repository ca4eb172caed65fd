import type { Attempt, Finding, MoverObservation, NextSteps } from '@redrover/core';
import { expect, test } from 'vitest';

import { explainCancelled, judgeEnd } from './operation-end.ts';

const finding = (message: string): Finding => ({
  rule: 'r',
  severity: 'warning',
  subject: 's',
  message,
  evidence: [],
  remedy: 'do this',
});

const next = (said: Partial<NextSteps>): NextSteps => ({
  steps: [],
  waits: [],
  blockers: [],
  decisions: [],
  done: false,
  ...said,
});

const moved = { move: { slotsMoved: 2, keysMoved: 1, bytesMoved: 9 } } as unknown as Attempt;
const attempts = [moved, moved];

test.each([
  ['nothing is left', next({ done: true }), false, { state: 'done', message: '' }],
  [
    'only a person can go on',
    next({ done: true, decisions: [finding('slot 5 is left')] }),
    false,
    { state: 'needs-decision', message: 'slot 5 is left; do this' },
  ],
  ['something else goes on', next({ decisions: [finding('slot 5 is left')] }), false, undefined],
  [
    'it is blocked, and something is to be decided as well',
    next({ blockers: [finding('no way')], decisions: [finding('slot 5 is left')] }),
    true,
    {
      state: 'failed',
      message:
        'no way; do this\nslot 5 is left; do this\n' +
        '4 slots with 2 keys had been moved and stay where they are now',
    },
  ],
] as const)('%s', (_what, said, isBlocked, end) => {
  expect(judgeEnd(said, { isBlocked, attempts })).toEqual(end);
});

test('what is done is said to have as many keys as before, if slots were moved', () => {
  const facts = { isBlocked: false, keyTotals: '7 keys in all' };
  const done = next({ done: true });
  expect(judgeEnd(done, { ...facts, attempts })?.message).toBe('7 keys in all');
  expect(judgeEnd(done, { ...facts, attempts: [] })?.message).toBe('');
});

test('who cancels is told what was moved, and who could not be told to stop', () => {
  const mover = { cluster: 'c1' } as MoverObservation;
  const hosts = [
    { name: 'h1', movers: [mover] },
    { name: 'h2', movers: [{ ...mover, cluster: 'other' }] },
  ];
  const told = explainCancelled({ cluster: 'c1', message: 'cancelled', hosts, attempts });
  expect(told).toMatch(/^cancelled; 4 slots with 2 keys .*; h1 could not be told/);
  expect(told).not.toContain('h2');
});
