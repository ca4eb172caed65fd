import { describe, expect, it } from 'vitest';
import { loadBetween, readCommandTotals, type EndLoad } from './client-load.ts';
import { nextPace, startPace } from './move-pace.ts';

const limits = { busyShare: 0.3 };
const quiet: EndLoad = { clientCallsPerS: 0, moveShare: 0 };
const busy: EndLoad = { clientCallsPerS: 500, moveShare: 0 };

const look = (state = startPace(limits), ...loads: (EndLoad | undefined)[]) =>
  nextPace(state, limits, { loads, elapsedMs: 200 });

describe('the pace', () => {
  it('holds back until one look has found no client', () => {
    expect(startPace(limits).isInUse).toBe(true);
    expect(look(undefined, quiet, quiet).isInUse).toBe(false);
    expect(look(undefined, quiet, undefined).isInUse).toBe(true);
    expect(look(undefined, undefined, undefined).isInUse).toBe(true);
  });

  it('holds back at once when clients begin on either end, and until they were quiet for a second', () => {
    for (const loads of [
      [busy, quiet],
      [quiet, busy],
      [undefined, busy],
    ]) {
      let state = look(look(undefined, quiet, quiet), ...loads);
      for (let looks = 0; looks < 4; looks += 1) {
        expect(state.isInUse).toBe(true);
        state = look(state, quiet, quiet);
      }
      expect(state.isInUse).toBe(true);
      expect(look(state, quiet, quiet).isInUse).toBe(false);
    }
  });

  it('takes no monitor for a client', () => {
    const monitored = { clientCallsPerS: 10, moveShare: 0 };
    expect(look(undefined, monitored, monitored).isInUse).toBe(false);
  });

  it('shares a target with other movers, and takes what they leave', () => {
    const shared = (moveShare: number): EndLoad => ({ ...busy, moveShare });
    const one = look(undefined, shared(0.2), shared(0.6));
    expect(one.share).toBeCloseTo(0.15);
    expect(look(one, shared(0.1), shared(0.3)).share).toBeGreaterThan(one.share);
    let state = one;
    for (let looks = 0; looks < 20; looks += 1) state = look(state, busy, busy);
    expect(state.share).toBe(limits.busyShare);
    for (let looks = 0; looks < 20; looks += 1) state = look(state, shared(0.9), busy);
    expect(state.share).toBeCloseTo(0.03);
  });
});

describe('what nodes count', () => {
  const stats = (lines: readonly string[]) => ['# Commandstats', ...lines, ''].join('\r\n');

  it('is told apart by who asks for it, in all versions', () => {
    const text = stats([
      'cmdstat_get:calls=7,usec=70,usec_per_call=10.00,rejected_calls=0,failed_calls=0',
      'cmdstat_xgroup|create:calls=2,usec=1,usec_per_call=0.50',
      'cmdstat_migrate:calls=3,usec=3000,usec_per_call=1000.00',
      'cmdstat_cluster|nodes:calls=5,usec=50,usec_per_call=10.00',
      'cmdstat_cluster:calls=1,usec=7,usec_per_call=7.00',
    ]);
    expect(readCommandTotals(text)).toEqual({ clientCalls: 9, moveUsec: 3057 });
  });

  it('makes a rate and a share, save when it was begun anew', () => {
    const before = { clientCalls: 10, moveUsec: 1_000 };
    const after = { clientCalls: 20, moveUsec: 51_000 };
    expect(loadBetween(before, after, 100)).toEqual({ clientCallsPerS: 100, moveShare: 0.5 });
    expect(loadBetween(after, before, 100)).toBeUndefined();
    expect(loadBetween(before, after, 0)).toBeUndefined();
  });
});
