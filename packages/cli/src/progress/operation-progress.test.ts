import type { Attempt } from '@redrover/core';
import { expect, test } from 'vitest';

import { moveAttempt, moveProgress, operationOf } from '../testing/examples.ts';
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
  ['needs-decision', true],
] as const)('a %s operation has ended: %s', (state, ended) => {
  expect(hasEnded(play({ kind: 'operation', operation: { ...operation, state } }))).toBe(ended);
});

function move(startedAtMs: number, endedAtMs: number): OperationEvent {
  return { kind: 'attempt', attempt: moveAttempt({ startedAtMs, endedAtMs }) };
}

test('every attempt at moving slots is kept, as each moved some', () => {
  const { attempts, moves } = play(move(1_000, 2_000), move(3_000, 4_000), move(3_000, 4_000));
  expect(attempts.size).toBe(1);
  expect([...moves.values()].map(({ startedAtMs }) => startedAtMs)).toEqual([1_000, 3_000]);
});

test('attempts that the controller has summed up in one are not counted again', () => {
  const { moves } = play(
    move(1_000, 2_000),
    move(3_000, 4_000),
    move(5_000, 6_000),
    move(1_000, 4_000),
  );
  expect([...moves.values()].map(({ startedAtMs }) => startedAtMs)).toEqual([5_000, 1_000]);
});

test('of the blocks that a mover tells the longest is remembered', () => {
  const { details } = play(
    ...[2, 9, 4].map((blockedMs): OperationEvent => {
      const told = { line: '', fraction: undefined, move: moveProgress({ blockedMs }) };
      return { kind: 'progress', stepKey: 'moveSlots a > b migrate', ...told };
    }),
  );
  const seen = details.get('moveSlots a > b migrate')?.move;
  expect(seen).toMatchObject({ longestBlockedMs: 9, now: { blockedMs: 4 } });
});
