import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../errors.ts';
import type { Attempt } from '../model/operation.ts';
import type { Step } from '../model/step.ts';
import { indexAttempts, tryStep } from './attempts.ts';
import { attemptOf, NOW } from './testing/examples.ts';

const step: Step = { kind: 'startNode', host: 'h1', node: 'h1:6379' };
const options = { what: 'starting h1:6379', subject: 'h1:6379', remedy: 'look at its log' };

function tryAfter(history: readonly Attempt[], sinceMs: number) {
  return tryStep(indexAttempts(history), step, { ...options, now: NOW + sinceMs });
}

function failures(count: number, errorCode: ErrorCode): Attempt[] {
  const failed = attemptOf(step, { outcome: 'failed', errorCode, message: 'no luck' });
  return Array.from({ length: count }, () => failed);
}

describe('trying a step', () => {
  it('is free when the journal knows nothing of it', () => {
    expect(tryAfter([], 0).steps).toEqual([step]);
  });

  it('is free when a dead controller left it running', () => {
    expect(
      tryAfter([attemptOf(step, { outcome: 'running', endedAtMs: undefined })], 0).steps,
    ).toEqual([step]);
  });

  it('waits a second after a first failure, and longer after each further one', () => {
    const delayOf = (count: number) =>
      [500, 1500, 3000, 5000, 9000].find(
        (sinceMs) => tryAfter(failures(count, 'unavailable'), sinceMs).steps.length > 0,
      );
    expect([1, 2, 3, 4].map(delayOf)).toEqual([1500, 3000, 5000, 9000]);
  });

  it('says while it waits what went wrong', () => {
    expect(tryAfter(failures(1, 'unavailable'), 0).waits).toEqual([
      { subject: 'h1:6379', reason: 'starting h1:6379 failed, trying again: no luck' },
    ]);
  });

  it.each([
    ['unavailable', 6],
    ['deadline-exceeded', 6],
    ['fenced', 6],
    ['failed-precondition', 2],
    ['internal', 2],
    ['integrity', 1],
    ['permission-denied', 1],
  ] as const)('ends for %s after %i failures', (code, limit) => {
    expect(tryAfter(failures(limit - 1, code), 60_000).blockers).toEqual([]);
    const [blocker] = tryAfter(failures(limit, code), 60_000).blockers;
    expect(blocker).toMatchObject({ rule: 'step-failed', remedy: 'look at its log' });
    expect(blocker?.evidence).toHaveLength(limit);
  });

  it('begins to count anew after a success', () => {
    const history = [...failures(1, 'internal'), attemptOf(step), ...failures(1, 'internal')];
    expect(tryAfter(history, 60_000).steps).toEqual([step]);
  });

  it('gives a success a second to show before it is done again', () => {
    expect(tryAfter([attemptOf(step)], 500).steps).toEqual([]);
    expect(tryAfter([attemptOf(step)], 1000).steps).toEqual([step]);
  });

  it('ends when success after success is never seen to have an effect', () => {
    const history = Array.from({ length: 8 }, () => attemptOf(step));
    expect(tryAfter(history, 60_000).blockers[0]?.rule).toBe('step-without-effect');
  });

  it('is not held up by a clock that was set back', () => {
    expect(tryAfter(failures(1, 'unavailable'), -3_600_000).steps).toEqual([step]);
  });
});
