/**
 * Bounded tries: whether a step that is due may be tried now, later, or not again.
 *
 * An executor tries once and records the outcome; trying again is decided here, from the journal
 * alone. Without a journal every step is simply tried, which is safe, as steps are idempotent.
 */
import type { ErrorCode } from '../errors.ts';
import type { Attempt, History } from '../model/operation.ts';
import { stepKey, type Step } from '../model/step.ts';
import { blocking, stepping, waiting, type Turn } from './turn.ts';

/** The journal of an operation, by step key, oldest first. */
export type AttemptIndex = ReadonlyMap<string, readonly Attempt[]>;

/**
 * These may pass by themselves. `fenced` is one of them: the agent saw another role or node id
 * than the plan was made from, and the next plan is made from what it saw.
 */
const TRANSIENT: ReadonlySet<ErrorCode> = new Set(['unavailable', 'deadline-exceeded', 'fenced']);

/** Trying again cannot help before a person has done something. */
const HOPELESS: ReadonlySet<ErrorCode> = new Set([
  'invalid-argument',
  'permission-denied',
  'unauthenticated',
  'integrity',
  'data-loss',
]);

/** With the delays below, about half a minute: longer than a restart, shorter than patience. */
const TRANSIENT_TRIES = 6;
/** Once more, for what looked permanent and was not (a full disk that was just cleaned). */
const OTHER_TRIES = 2;
/**
 * How often a step may succeed without the observation ever showing its effect. With the delays
 * below, about 40 s, after which something undoes it or reports are not true.
 */
const EFFECTLESS_TRIES = 8;
const FIRST_DELAY_MS = 1000;
const LONGEST_DELAY_MS = 8000;

export function indexAttempts(history: History): AttemptIndex {
  const index = new Map<string, Attempt[]>();
  for (const attempt of history) {
    const list = index.get(attempt.stepKey);
    if (list === undefined) index.set(attempt.stepKey, [attempt]);
    else list.push(attempt);
  }
  return index;
}

/** What the journal says of one step. */
export interface Trail {
  /** Failures since the last success, oldest first. */
  readonly failures: readonly Attempt[];
  readonly successes: number;
  /** The last attempt that ended; attempts cut off by a dead controller count for nothing. */
  readonly last: Attempt | undefined;
}

export function trailOf(index: AttemptIndex, key: string): Trail {
  let failures: Attempt[] = [];
  let successes = 0;
  let last: Attempt | undefined;
  for (const attempt of index.get(key) ?? []) {
    if (attempt.outcome === 'running') continue;
    last = attempt;
    if (attempt.outcome === 'failed') failures.push(attempt);
    else {
      successes += 1;
      failures = [];
    }
  }
  return { failures, successes, last };
}

/** Whether the journal says that the step succeeded last time. */
export function succeeded(index: AttemptIndex, key: string): boolean {
  return trailOf(index, key).last?.outcome === 'ok';
}

export interface TryOptions {
  readonly now: number;
  /** What people call the thing that is tried, for example `preparing h1:6379`. */
  readonly what: string;
  /** A node key, host or cluster. */
  readonly subject: string;
  /** What a person can do when tries are exhausted. */
  readonly remedy: string;
}

/** The step if it may be tried now; else what it waits for, or why it is not tried again. */
export function tryStep(index: AttemptIndex, step: Step, options: TryOptions): Turn {
  const trail = trailOf(index, stepKey(step));
  const { last } = trail;
  if (last === undefined) return stepping(step);
  if (isExhausted(trail)) return exhausted(trail, options);
  const tries = last.outcome === 'ok' ? trail.successes : trail.failures.length;
  const delayMs = Math.min(FIRST_DELAY_MS * 2 ** (tries - 1), LONGEST_DELAY_MS);
  const endedAtMs = last.endedAtMs ?? last.startedAtMs;
  // A clock that was set back must not turn a short delay into a long one.
  const sinceMs = options.now - endedAtMs;
  if (sinceMs >= delayMs || sinceMs < 0) return stepping(step);
  if (last.outcome === 'ok') return waiting(options.subject, `${options.what}: done, not seen yet`);
  return waiting(options.subject, `${options.what} failed, trying again: ${last.message}`);
}

/** Failures that may pass by themselves. */
export function isTransient({ outcome, errorCode }: Attempt): boolean {
  return outcome === 'failed' && errorCode !== undefined && TRANSIENT.has(errorCode);
}

/** Whether the step is not tried again in this operation. */
export function isExhausted(trail: Trail): boolean {
  if (trail.failures.length === 0) return trail.successes >= EFFECTLESS_TRIES;
  return trail.failures.length >= triesFor(trail.failures.at(-1)?.errorCode);
}

function triesFor(code: ErrorCode | undefined): number {
  if (code === undefined) return OTHER_TRIES;
  if (HOPELESS.has(code)) return 1;
  return TRANSIENT.has(code) ? TRANSIENT_TRIES : OTHER_TRIES;
}

function exhausted(trail: Trail, options: TryOptions): Turn {
  const { subject, what, remedy } = options;
  const { failures } = trail;
  if (failures.length === 0) {
    const message = `${what}: done ${trail.successes} times, but its effect was never seen`;
    return blocking({ rule: 'step-without-effect', subject, message, remedy });
  }
  const times = failures.length === 1 ? '' : ` ${failures.length} times`;
  return blocking({
    rule: 'step-failed',
    subject,
    message: `${what} failed${times}: ${failures.at(-1)?.message ?? ''}`,
    evidence: failures.map((failure) => `${failure.errorCode ?? 'internal'}: ${failure.message}`),
    remedy,
  });
}
