import type { Attempt } from '@redrover/core';
import { expect, test } from 'vitest';

import { operationOf } from '../testing/examples.ts';
import {
  applyEvent,
  countDone,
  hasEnded,
  runningAttempts,
  startProgress,
} from './operation-progress.ts';
import type { OperationEvent } from './operation-progress.ts';

const operation = operationOf({ createdAtMs: 1_000 });

function attempt(
  stepKey: string,
  startedAtMs: number,
  outcome: Attempt['outcome'],
): OperationEvent {
  const endedAtMs = outcome === 'running' ? undefined : startedAtMs + 10;
  const rest = { errorCode: undefined, message: '', move: undefined };
  const value = { stepKey, startedAtMs, endedAtMs, outcome, ...rest };
  return { kind: 'attempt', attempt: value };
}

function play(...events: OperationEvent[]) {
  return events.reduce(applyEvent, startProgress(operation, 10));
}

test('a step that ended is no longer running', () => {
  const progress = play(
    attempt('startNode h1:1', 1_000, 'running'),
    attempt('startNode h2:1', 1_000, 'running'),
    attempt('startNode h1:1', 1_000, 'ok'),
  );
  expect(countDone(progress)).toBe(1);
  expect(runningAttempts(progress).map(({ stepKey }) => stepKey)).toEqual(['startNode h2:1']);
});

test('what is told again after a lost connection changes nothing', () => {
  const events = [
    attempt('startNode h1:1', 1_000, 'failed'),
    attempt('startNode h1:1', 2_000, 'running'),
  ];
  const once = play(...events);
  expect(play(...events, ...events)).toEqual(once);
  expect(runningAttempts(once)).toHaveLength(1);
});

test('a second attempt takes the place of the first', () => {
  const progress = play(
    attempt('startNode h1:1', 1_000, 'failed'),
    attempt('startNode h1:1', 2_000, 'ok'),
  );
  expect(countDone(progress)).toBe(1);
});

test.each([
  ['running', false],
  ['paused', false],
  ['done', true],
  ['failed', true],
  ['cancelled', true],
] as const)('a %s operation has ended: %s', (state, ended) => {
  expect(hasEnded(play({ kind: 'operation', operation: { ...operation, state } }))).toBe(ended);
});
