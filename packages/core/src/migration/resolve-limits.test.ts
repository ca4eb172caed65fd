import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_MOVE_OPTIONS, type MoveOptions } from '../model/migration.ts';
import {
  adaptBatch,
  spendBudget,
  startBatch,
  startBudget,
  startRate,
  takeRate,
} from './batch-control.ts';
import { resolveLimits } from './resolve-limits.ts';

const options = (change: Partial<MoveOptions> = {}) => ({ ...DEFAULT_MOVE_OPTIONS, ...change });

describe('limits of a move', () => {
  it('keep MIGRATE below half of the node timeout, whatever is asked for', () => {
    const anyOptions = fc.record({
      pace: fc.constantFrom('gentle' as const, 'fast' as const),
      rateBytesPerS: fc.nat(1e9),
      maxKeyBytes: fc.nat(1e9),
    });
    fc.assert(
      fc.property(anyOptions, fc.integer({ min: 100, max: 60_000 }), (change, nodeTimeoutMs) => {
        const limits = resolveLimits(options(change), nodeTimeoutMs);
        expect(limits.migrateTimeoutMs).toBeLessThan(nodeTimeoutMs / 2);
        expect(limits.blockBoundMs).toBeLessThanOrEqual(nodeTimeoutMs / 4);
        expect(limits.commandTimeoutMs).toBeGreaterThan(limits.migrateTimeoutMs);
        expect(limits.batchBytesMin).toBeGreaterThan(0);
        expect(limits.batchBytesMin).toBeLessThanOrEqual(limits.batchBytesStart);
        expect(limits.batchBytesStart).toBeLessThanOrEqual(limits.batchBytesMax);
      }),
    );
  });

  it('derive the largest key from the node timeout, unless it is given', () => {
    expect(resolveLimits(options(), 5000).maxKeyBytes).toBe(62_500_000);
    expect(resolveLimits(options({ maxKeyBytes: 10 }), 5000).maxKeyBytes).toBe(10);
  });

  it('refuse a latency that the node timeout does not allow, and say what would do', () => {
    expect(() => resolveLimits(options({ maxLatencyMs: 900 }), 2000)).toThrow('give 500ms or less');
    expect(resolveLimits(options({ maxLatencyMs: 9 }), 2000).blockBoundMs).toBe(9);
  });

  it('are wide where no client is at work, but never beyond a latency that was asked for', () => {
    const gentle = resolveLimits(options(), 5000);
    const fast = resolveLimits(options({ pace: 'fast' }), 5000);
    expect(gentle.blockBoundMs).toBeLessThan(2);
    expect(gentle.idle.blockBoundMs).toBe(fast.blockBoundMs);
    expect(gentle.idle.batchBytesMax).toBe(gentle.batchBytesMax);
    expect(gentle.busyShare).toBeLessThan(0.5);
    expect(fast).toMatchObject({ ...fast.idle, busyShare: 1 });
    expect(resolveLimits(options({ maxLatencyMs: 3 }), 5000)).toMatchObject({
      blockBoundMs: 3,
      idle: { blockBoundMs: 3 },
    });
  });
});

describe('the batch size', () => {
  const limits = resolveLimits(options(), 5000);

  it('halves when the bound is crossed, and never leaves its range', () => {
    let state = startBatch(limits);
    state = adaptBatch(state, limits, { blockedMs: limits.blockBoundMs * 1.2, bytes: state.bytes });
    expect(state.bytes).toBe(limits.batchBytesStart / 2);
    for (let batch = 0; batch < 40; batch += 1) {
      state = adaptBatch(state, limits, { blockedMs: 100, bytes: state.bytes });
    }
    expect(state.bytes).toBe(limits.batchBytesMin);
    for (let batch = 0; batch < 400; batch += 1) {
      state = adaptBatch(state, limits, { blockedMs: limits.blockBoundMs / 5, bytes: state.bytes });
    }
    expect(state.bytes).toBe(limits.batchBytesMax);
  });

  it('does not grow for what a small last batch took', () => {
    const state = startBatch(limits);
    expect(adaptBatch(state, limits, { blockedMs: 0.1, bytes: 10 })).toEqual(state);
  });

  it('settles where one batch takes less than the bound', () => {
    const bytesPerMs = 30_000;
    let state = startBatch(limits);
    for (let batch = 0; batch < 200; batch += 1) {
      const blockedMs = state.bytes / bytesPerMs;
      state = adaptBatch(state, limits, { blockedMs, bytes: state.bytes });
    }
    const settledMs = state.bytes / bytesPerMs;
    expect(settledMs).toBeLessThanOrEqual(limits.blockBoundMs);
    expect(settledMs).toBeGreaterThan(limits.blockBoundMs / 3);
  });
});

describe('the budget', () => {
  it('keeps what is blocked under its share of any time, however late its user wakes up', () => {
    const share = resolveLimits(options(), 5000).busyShare;
    const blocks = fc.array(
      fc.record({ blockedMs: fc.double({ min: 0.05, max: 5, noNaN: true }), lateMs: fc.nat(20) }),
      { minLength: 2, maxLength: 200 },
    );
    fc.assert(
      fc.property(blocks, (all) => {
        let nowMs = 1000;
        let state = startBudget(nowMs);
        const seen: { startMs: number; blockedMs: number }[] = [];
        for (const { blockedMs, lateMs } of all) {
          nowMs = Math.max(nowMs, state.freeAtMs) + lateMs;
          const block = { startMs: nowMs, blockedMs };
          state = spendBudget(state, share, block);
          seen.push(block);
          nowMs += blockedMs;
        }
        for (const [index, { startMs }] of seen.entries()) {
          const blockedMs = seen.slice(index, -1).reduce((sum, block) => sum + block.blockedMs, 0);
          const elapsedMs = (seen.at(-1)?.startMs ?? 0) - startMs;
          expect(blockedMs).toBeLessThanOrEqual(share * (elapsedMs + 5) + 1e-6);
        }
      }),
    );
  });

  it('is not owed for long, whatever took long', () => {
    const hung = { startMs: 100, blockedMs: 10_000 };
    const { freeAtMs } = spendBudget(startBudget(100), 0.03, hung);
    expect(freeAtMs).toBeGreaterThan(10_100);
    expect(freeAtMs).toBeLessThan(11_000);
  });

  it('is used up by whoever wants all of it', () => {
    let state = startBudget(0);
    let nowMs = 0;
    for (let block = 0; block < 1000; block += 1) {
      nowMs = Math.max(nowMs, state.freeAtMs);
      state = spendBudget(state, 0.25, { startMs: nowMs, blockedMs: 1 });
      nowMs += 1;
    }
    expect(1000 / nowMs).toBeCloseTo(0.25, 2);
  });
});

describe('the rate', () => {
  it('is kept over any time, whatever the batches', () => {
    const limits = resolveLimits(options({ rateBytesPerS: 1_000_000 }), 5000);
    const batches = fc.array(fc.integer({ min: 1, max: limits.batchBytesMax }), { minLength: 50 });
    fc.assert(
      fc.property(batches, (sizes) => {
        let nowMs = 1000;
        let state = startRate(nowMs);
        let sent = 0;
        for (const bytes of sizes) {
          const turn = takeRate(state, limits, { nowMs, bytes });
          nowMs += turn.waitMs;
          state = turn.state;
          sent += bytes;
        }
        const last = sizes.at(-1) ?? 0;
        const allowed = ((nowMs - 1000) / 1000) * 1_000_000 + 200_000 + last;
        expect(sent).toBeLessThanOrEqual(allowed + 1000);
      }),
    );
  });

  it('is no limit when it is 0, and bears a clock that goes back', () => {
    const free = resolveLimits(options(), 5000);
    expect(takeRate(startRate(0), free, { nowMs: 0, bytes: 1e9 }).waitMs).toBe(0);
    const limits = resolveLimits(options({ rateBytesPerS: 1000 }), 5000);
    const first = takeRate(startRate(5000), limits, { nowMs: 5000, bytes: 500 });
    expect(takeRate(first.state, limits, { nowMs: 1, bytes: 1 }).waitMs).toBe(500);
  });
});
