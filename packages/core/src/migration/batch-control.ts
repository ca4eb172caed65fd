/**
 * How much the mover sends at a time: a batch size that follows the measured time of MIGRATE, a budget of the time in
 * which it blocks its nodes, and a token bucket for a rate. Pure: state and time come in, state goes out.
 */
import type { BatchLimits, MoveLimits } from './move-limits.ts';

export interface BatchState {
  /** Of the next batch. */
  readonly bytes: number;
}

/** What one MIGRATE took. */
export interface BatchMeasure {
  /** How long it blocked the end that it blocked longer, in milliseconds. */
  readonly blockedMs: number;
  /** What was in it; a small last batch of a slot says nothing about larger ones. */
  readonly bytes: number;
}

/** Growth a batch: a tenth of the start, so that ten good batches double it. */
const GROWTH_SHARE = 0.1;
/** Halving is what stops a queue from building up; a single outlier costs ten batches of growth. */
const SHRINK_FACTOR = 0.5;
/** Growth stops here, so that ordinary noise does not cross the bound. */
const CALM_SHARE = 0.7;

export function startBatch(limits: BatchLimits): BatchState {
  return { bytes: limits.batchBytesStart };
}

/** Additive increase, multiplicative decrease. */
export function adaptBatch(
  state: BatchState,
  limits: BatchLimits,
  measure: BatchMeasure,
): BatchState {
  if (measure.blockedMs > limits.blockBoundMs) {
    return { bytes: clamp(Math.min(state.bytes, measure.bytes) * SHRINK_FACTOR, limits) };
  }
  const wasFull = measure.bytes >= state.bytes * SHRINK_FACTOR;
  if (!wasFull || measure.blockedMs > limits.blockBoundMs * CALM_SHARE) return state;
  return { bytes: clamp(state.bytes + limits.batchBytesStart * GROWTH_SHARE, limits) };
}

/** Of one mover, whatever it has in flight: what two batches take at once is blocked one after the other. */
export interface BudgetState {
  /** When the next block may begin. */
  readonly freeAtMs: number;
}

/** Timers fire late: so much of what was left unused meanwhile may be taken soon after. */
const BUDGET_CREDIT_MS = 5;

/** One long block, or a node that hung, is not paid for by a window that stays open for seconds. */
const REST_MAX_MS = 400;

export function startBudget(nowMs: number): BudgetState {
  return { freeAtMs: nowMs };
}

/** After a block: what is blocked never takes more than the share of any longer time, credit and long blocks aside. */
export function spendBudget(
  { freeAtMs }: BudgetState,
  share: number,
  block: { readonly startMs: number; readonly blockedMs: number },
): BudgetState {
  const earliestMs = Math.max(freeAtMs, block.startMs - BUDGET_CREDIT_MS);
  const endMs = block.startMs + block.blockedMs;
  return { freeAtMs: Math.min(earliestMs + block.blockedMs / share, endMs + REST_MAX_MS) };
}

export interface RateState {
  /** Negative: owed for a batch that was larger than what was left. */
  readonly tokensBytes: number;
  readonly atMs: number;
}

/** What an idle source may send at once: a fifth of a second's worth. */
const BURST_S = 0.2;

export function startRate(nowMs: number): RateState {
  return { tokensBytes: 0, atMs: nowMs };
}

export interface RateTurn {
  readonly state: RateState;
  /** Before these bytes may be sent; 0: now. They are counted already: ask once for each batch. */
  readonly waitMs: number;
}

/** Takes bytes from the bucket. A clock that went back gives nothing, and takes nothing. */
export function takeRate(
  state: RateState,
  limits: MoveLimits,
  want: { readonly nowMs: number; readonly bytes: number },
): RateTurn {
  const perS = limits.rateBytesPerS;
  if (perS === 0) return { state: { tokensBytes: 0, atMs: want.nowMs }, waitMs: 0 };
  const elapsedS = Math.max(0, want.nowMs - state.atMs) / 1000;
  const filled = Math.min(perS * BURST_S, state.tokensBytes + elapsedS * perS);
  const waitMs = filled >= 0 ? 0 : Math.ceil((-filled / perS) * 1000);
  return { state: { tokensBytes: filled - want.bytes, atMs: want.nowMs }, waitMs };
}

function clamp(bytes: number, limits: BatchLimits): number {
  return Math.round(Math.min(limits.batchBytesMax, Math.max(limits.batchBytesMin, bytes)));
}
