/** Slots that are half way, whoever opened them. */
import { describe, expect, it } from 'vitest';
import { formatRanges } from '../../model/slots.ts';
import { forecastSteps } from '../testing/forecast-steps.ts';
import { planSteps } from '../plan-steps.ts';
import { settle } from '../settle.ts';
import type { PlanInput } from '../situation.ts';
import { strike } from '../testing/drift.ts';
import { withRedis, withViewEntry } from '../testing/examples.ts';
import {
  ready,
  playOut,
  movesOf,
  pairsOf,
  waitsOf,
  idOf,
  withOpen,
  failed,
} from '../testing/move-scenes.ts';

describe('a slot that is half way', () => {
  const ends = { from: 'h1:6379', to: 'h2:6380' };
  const slotsOf = (input: PlanInput, source: string) =>
    formatRanges(movesOf(input).find((step) => step.source.node === source)?.slots ?? []);

  it('is left alone for a minute where somebody else opened it, and so are its ends', () => {
    const foreign = withOpen(ready, 16_383, { from: 'h3:6380', to: 'h1:6379', quietMs: 59_000 });
    expect(pairsOf(foreign)).toEqual([]);
    expect(waitsOf(foreign).join()).toContain("slot 16383 is open from h3:6380 by somebody else's");
    const quiet = withOpen(ready, 16_383, { from: 'h3:6380', to: 'h1:6379', quietMs: 60_000 });
    expect(pairsOf(quiet)).toEqual(['h3:6380>h1:6379']);
    expect(slotsOf(quiet, 'h3:6380')).toBe('16383');
  });

  it('is gone on with at once where this operation opened it', () => {
    const [first] = movesOf(ready);
    if (first === undefined) throw new Error('no move');
    const ours = { ...withOpen(ready, 4096, ends), history: [failed(first)] };
    expect(slotsOf(ours, 'h1:6379')).toBe('4096-5460');
  });

  it('is ours as well where replicas have it open beside their masters, as those of Valkey do', () => {
    const [first] = movesOf(ready);
    if (first === undefined) throw new Error('no move');
    const migrating = [{ slot: 4096, nodeId: idOf(ready, ends.to) }];
    const importing = [{ slot: 4096, nodeId: idOf(ready, ends.from) }];
    const masters = withOpen(ready, 4096, ends);
    const one = withViewEntry(masters, { holder: 'h2:6379', about: 'h2:6379' }, { migrating });
    const both = withViewEntry(one, { holder: 'h3:6379', about: 'h3:6379' }, { importing });
    expect(slotsOf({ ...both, history: [failed(first)] }, 'h1:6379')).toBe('4096-5460');
  });

  it('is ours as well once another node of the same shard is master and has it open', () => {
    const [first] = movesOf(ready);
    if (first === undefined) throw new Error('no move');
    const promoted = settle(strike(ready.observation, 'h1:6379', 'fail-over'));
    const reopened = withOpen({ ...ready, observation: promoted }, 4096, {
      from: 'h2:6379',
      to: ends.to,
    });
    expect(slotsOf({ ...reopened, history: [failed(first)] }, 'h2:6379')).toContain('4096');
  });

  it('is finished key by key before an atomic engine takes the rest', () => {
    const able = Object.keys(ready.observation.nodes).reduce(
      (input, key) => withRedis(input, key, { moveEngines: ['migrate', 'valkey-atomic'] }),
      ready,
    );
    const half = withOpen(able, 4096, { ...ends, quietMs: 60_000 });
    const step = movesOf(half).find(({ source }) => source.node === 'h1:6379');
    expect(step).toMatchObject({ engine: 'migrate', slots: [{ start: 4096, end: 4096 }] });
  });

  it('goes from whoever has it now, whatever its flags say of a former master', () => {
    const half = withOpen(ready, 4096, { ...ends, quietMs: 60_000 });
    const promoted = settle(strike(half.observation, 'h1:6379', 'fail-over'));
    const quiet = withRedis({ ...half, observation: promoted }, 'h2:6380', {
      openSlotsQuietMs: 60_000,
    });
    expect(pairsOf(quiet)).toContain('h2:6379>h2:6380');
    expect(slotsOf(quiet, 'h2:6379')).toContain('4096');
  });

  it('is a person’s to decide where nobody knows its other end', () => {
    const migrating = [{ slot: 9, nodeId: 'f'.repeat(40) }];
    const odd = withViewEntry(ready, { holder: 'h1:6379', about: 'h1:6379' }, { migrating });
    const quiet = withRedis(odd, 'h1:6379', { openSlotsQuietMs: 60_000 });
    expect(planSteps(quiet).decisions).toMatchObject([
      { rule: 'open-slot-unsettled', subject: 'slot 9' },
    ]);
    expect(forecastSteps(quiet).complete).toBe(true);
  });
});

describe('slots that are half way through the same master', () => {
  const quietMs = 60_000;
  const open = (input: PlanInput, slot: number, from: string, to: string) =>
    withOpen(input, slot, { from, to, quietMs });

  it('are finished in order: first what goes to it, however much leaves it', () => {
    const first = open(ready, 4096, 'h1:6379', 'h2:6380');
    const chain = open(open(first, 8000, 'h2:6380', 'h3:6380'), 8001, 'h2:6380', 'h3:6380');
    expect(pairsOf(chain)).toEqual(['h1:6379>h2:6380']);
    expect(forecastSteps(chain)).toMatchObject({ complete: true, decisions: [] });
  });

  it('are a person’s to decide in a circle, and all else goes on', () => {
    const there = open(ready, 4096, 'h1:6379', 'h2:6380');
    const circle = open(there, 8000, 'h2:6380', 'h1:6379');
    expect(pairsOf(circle)).toContain('h3:6380>h4:6380');
    const { done, decisions } = planSteps(playOut(circle));
    expect(done).toBe(true);
    expect(decisions.map(({ rule, subject }) => `${rule} ${subject}`)).toEqual([
      'open-slots-in-a-circle slot 4096',
      'open-slots-in-a-circle slot 8000',
      'moves-behind-a-decision h1:6379',
      'moves-behind-a-decision h2:6380',
    ]);
  });
});
