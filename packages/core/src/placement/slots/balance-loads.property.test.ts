import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SLOT_COUNT } from '../../model/slots.ts';
import { balanceLoads } from './balance-loads.ts';
import {
  excessByShard,
  largestLoad,
  slotsMovedBounds,
  toleratedExcess,
  type SlotLoads,
} from './load-shares.ts';
import { countByOwner, ownersOf, slotsByShard, type SlotOwners } from './slot-owners.ts';
import type { Weights } from './slot-shares.ts';

const IDS = ['s1', 's2', 's3'];

interface Case {
  readonly owners: SlotOwners;
  readonly loads: SlotLoads;
  readonly weights: Weights;
}

const weight = fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 5 }));
const weights = fc
  .array(weight, { minLength: IDS.length, maxLength: IDS.length })
  .map((list): Weights => Object.fromEntries(list.map((each, index) => [IDS[index] ?? '', each])));

/** All slots have keys, about as many: what hashing gives. */
const ordinary: fc.Arbitrary<Case> = fc
  .record({
    cuts: fc.tuple(fc.nat({ max: SLOT_COUNT }), fc.nat({ max: SLOT_COUNT })),
    least: fc.integer({ min: 0, max: 60 }),
    spread: fc.integer({ min: 1, max: 60 }),
    seed: fc.integer({ min: 1, max: 1_000_000 }),
    weights,
  })
  .map(({ cuts, least, spread, seed, weights: by }) => {
    const [low, high] = [Math.min(...cuts), Math.max(...cuts)];
    const owners = Array.from({ length: SLOT_COUNT }, (_, slot) =>
      slot < low ? 's1' : slot < high ? 's2' : 's3',
    );
    const loads = owners.map((_, slot) => least + (((slot + seed) * 2_654_435_761) % spread));
    return { owners, loads, weights: by };
  });

/** Few slots have any keys, and a few of these most of them. */
const few: fc.Arbitrary<Case> = fc
  .record({
    slots: fc.array(
      fc.record({
        owner: fc.nat({ max: IDS.length - 1 }),
        load: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 1000 })),
      }),
      { minLength: 1, maxLength: 7 },
    ),
    weights,
  })
  .map(({ slots, weights: by }) => ({
    owners: Array.from({ length: SLOT_COUNT }, (_, slot) => IDS[slots[slot]?.owner ?? 0]),
    loads: Array.from({ length: SLOT_COUNT }, (_, slot) => slots[slot]?.load ?? 0),
    weights: by,
  }));

function balanced({ owners, loads, weights: by }: Case): SlotOwners {
  return ownersOf(balanceLoads({ present: slotsByShard(owners, IDS), weights: by, loads }));
}

function furthestOff(owners: SlotOwners, goal: Case): number {
  return Math.max(...[...excessByShard(owners, goal).values()].map((excess) => Math.abs(excess)));
}

function countMoved(from: SlotOwners, to: SlotOwners): number {
  return from.filter((owner, slot) => owner !== to[slot]).length;
}

/** The fewest slots of any assignment in which all are near enough; all that matter are tried. */
function fewestByTrying(small: Case, tolerance: number): number {
  const used = small.loads.findLastIndex((load) => load > 0) + 1;
  const owners = small.owners.slice(0, used);
  const goal = { ...small, loads: small.loads.slice(0, used) };
  let best = Number.POSITIVE_INFINITY;
  const visit = (slot: number, moved: number): void => {
    if (moved >= best) return;
    if (slot === used) {
      if (furthestOff(owners, goal) <= tolerance + 1e-6) best = moved;
      return;
    }
    for (const id of IDS) {
      owners[slot] = id;
      visit(slot + 1, moved + Number(id !== small.owners[slot]));
    }
    owners[slot] = small.owners[slot];
  };
  visit(0, 0);
  return best;
}

describe('balanceLoads', () => {
  test('brings all within one slot of their share, with no more slots than the bound', () => {
    fc.assert(
      fc.property(ordinary, (each) => {
        const tolerance = toleratedExcess(each.weights, each.loads);
        expect(tolerance).toBe(largestLoad(each.loads));
        const to = balanced(each);
        expect(furthestOff(to, each)).toBeLessThanOrEqual(tolerance + 1e-6);
        const { least, most } = slotsMovedBounds(each.owners, { ...each, tolerance });
        const moved = countMoved(each.owners, to);
        expect(moved).toBeGreaterThanOrEqual(least);
        expect(moved).toBeLessThanOrEqual(most);
      }),
      { numRuns: 50 },
    );
  }, 60_000);

  test('is done when it is done', () => {
    fc.assert(
      fc.property(ordinary, (each) => {
        const owners = balanced(each);
        expect(balanced({ ...each, owners })).toEqual(owners);
      }),
      { numRuns: 15 },
    );
  }, 60_000);

  test('with few and unlike slots, too, gets within the largest, and never further off', () => {
    fc.assert(
      fc.property(few, (each) => {
        const to = balanced(each);
        const before = furthestOff(each.owners, each);
        const after = furthestOff(to, each);
        expect(after).toBeLessThanOrEqual(largestLoad(each.loads) + 1e-6);
        expect(after).toBeLessThanOrEqual(
          Math.max(before, toleratedExcess(each.weights, each.loads)) + 1e-6,
        );
        expect([...countByOwner(to).values()].reduce((sum, count) => sum + count, 0)).toBe(
          SLOT_COUNT,
        );
      }),
      { numRuns: 80 },
    );
  }, 60_000);

  test('the lower bound is one: no assignment at all gets by with fewer', () => {
    fc.assert(
      fc.property(few, (each) => {
        for (const tolerance of [
          largestLoad(each.loads),
          toleratedExcess(each.weights, each.loads),
        ]) {
          const { least } = slotsMovedBounds(each.owners, { ...each, tolerance });
          expect(fewestByTrying(each, tolerance)).toBeGreaterThanOrEqual(least);
        }
      }),
      { numRuns: 40 },
    );
  }, 60_000);

  test('empties a shard of weight 0, of slots without keys as well', () => {
    fc.assert(
      fc.property(ordinary, (each) => {
        const to = balanced({ ...each, weights: { ...each.weights, s2: 0 } });
        expect(to).not.toContain('s2');
        const goal = { ...each, weights: { ...each.weights, s2: 0 } };
        expect(furthestOff(to, goal)).toBeLessThanOrEqual(largestLoad(each.loads) + 1e-6);
      }),
      { numRuns: 15 },
    );
  }, 60_000);
});
