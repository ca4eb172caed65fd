import type { Finding } from '@redrover/core';
import { expect, test } from 'vitest';

import { Patience, patienceMs } from './patience.ts';

const NODE_TIMEOUT_MS = 2_000;
const LENGTH_MS = patienceMs(NODE_TIMEOUT_MS);
const NOON = Date.UTC(2026, 0, 1, 12);

const blocker = (rule: string, subject = 's1'): Finding => ({
  rule,
  severity: 'critical',
  subject,
  message: `${subject} is in the way.`,
  evidence: [],
  remedy: '',
});

const at = (tick: number) => ({ tick, nowMs: NOON + tick });

test('what passes by itself is waited for, for as long as failovers take, and people see until when', () => {
  const patience = new Patience(NODE_TIMEOUT_MS);
  const waits = patience.judge([blocker('slots-lost')], at(0));
  expect(waits).toEqual([
    {
      subject: 's1',
      reason: 's1 is in the way. It may pass by itself: waiting until 12:00:32 UTC',
    },
  ]);
  expect(patience.judge([blocker('slots-lost')], at(LENGTH_MS - 1))).toEqual(waits);
  expect(patience.judge([blocker('slots-lost')], at(LENGTH_MS))).toBeUndefined();
});

test('its time starts anew when it was away, and is its own for each', () => {
  const patience = new Patience(NODE_TIMEOUT_MS);
  patience.judge([blocker('no-majority')], at(0));
  patience.judge([], at(LENGTH_MS - 2));
  expect(patience.judge([blocker('no-majority')], at(LENGTH_MS - 1))).toHaveLength(1);
  const both = [blocker('no-majority'), blocker('slots-lost', 's2')];
  expect(patience.judge(both, at(2 * LENGTH_MS - 2))).toHaveLength(2);
  expect(patience.judge(both, at(2 * LENGTH_MS - 1))).toBeUndefined();
});

test('what only a person ends is not waited for, whatever else is in the way', () => {
  const patience = new Patience(NODE_TIMEOUT_MS);
  const both = [blocker('slots-lost'), blocker('step-failed')];
  expect(patience.judge(both, at(0))).toBeUndefined();
});

test('with nothing in the way, nothing is waited for', () => {
  expect(new Patience(NODE_TIMEOUT_MS).judge([], at(0))).toEqual([]);
});
