/** Keys of masters in slots of others. */
import { describe, expect, it } from 'vitest';
import { formatRanges } from '../../model/slots.ts';
import { forecastSteps } from '../testing/forecast-steps.ts';
import { planSteps } from '../plan-steps.ts';
import type { PlanInput } from '../situation.ts';
import { withRedis, withViewEntry } from '../testing/examples.ts';
import { ready, playOut, movesOf, pairsOf, waitsOf, idOf, failed } from '../testing/move-scenes.ts';

describe('keys of slots that others own', () => {
  const orphans = (slot: number) => ({
    orphanKeys: { keys: 3, slotCount: 1, slots: [{ slot, keys: 3 }] },
  });
  const [first] = movesOf(ready);
  if (first === undefined) throw new Error('no move');
  const decided = (input: PlanInput) =>
    planSteps(playOut(input)).decisions.map(({ rule, subject }) => `${rule} ${subject}`);

  it('keep their slot from being moved to them, and the others go', () => {
    const input = withRedis(ready, 'h2:6380', orphans(5000));
    const [step] = movesOf(input).filter(({ source }) => source.node === 'h1:6379');
    expect(formatRanges(step?.slots ?? [])).toBe('4096-4999 5001-5460');
    const { complete, decisions, rounds } = forecastSteps(input);
    expect(complete).toBe(true);
    const moved = rounds.flat().filter(({ kind }) => kind === 'moveSlots');
    expect(
      moved.filter((each) => each.kind === 'moveSlots' && each.source.node === 'h1:6379'),
    ).toHaveLength(1);
    expect(decisions).toMatchObject([
      { rule: 'orphan-keys-at-target', subject: 'slot 5000' },
      { rule: 'orphan-keys', subject: 'h2:6380' },
    ]);
  });

  it('keep it there also once others have gone, and while slots go on that are open still', () => {
    const tried = { ...ready, history: [failed(first)] };
    const input = withRedis(tried, 'h2:6380', orphans(5000));
    const [step] = movesOf(input).filter(({ source }) => source.node === 'h1:6379');
    expect(formatRanges(step?.slots ?? [])).toBe('4096-4999 5001-5460');
    const migrating = [{ slot: 5000, nodeId: idOf(ready, 'h2:6380') }];
    const open = withViewEntry(input, { holder: 'h1:6379', about: 'h1:6379' }, { migrating });
    const [again] = movesOf(open).filter(({ source }) => source.node === 'h1:6379');
    expect(formatRanges(again?.slots ?? [])).toContain('4096-5460');
  });

  it('are counted before anything is begun there', () => {
    const unknown = withRedis(ready, 'h2:6380', { orphanKeys: undefined });
    expect(pairsOf(unknown)).not.toContain('h1:6379>h2:6380');
    expect(waitsOf(unknown)).toContain('h2:6380: keys in slots of others not counted yet');
  });

  it('leave the end of an operation that moved slots to a person, and of no other', () => {
    const moved = withRedis(playOut(ready), 'h1:6379', orphans(16_000));
    expect(decided(moved)).toEqual(['orphan-keys h1:6379']);
    expect(decided({ ...moved, history: [] })).toEqual([]);
  });

  it('are waited for while they are not counted', () => {
    const moved = withRedis(playOut(ready), 'h1:6379', { orphanKeys: undefined });
    const { done, waits } = planSteps(moved);
    expect(done).toBe(false);
    expect(waits).toMatchObject([{ subject: 'h1:6379' }]);
  });
});
