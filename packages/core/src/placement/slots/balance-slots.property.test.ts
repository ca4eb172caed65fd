import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { countSlots, formatRanges, SLOT_COUNT } from '../../model/slots.ts';
import { balanceSlots } from './balance-slots.ts';
import { countByOwner, ownersOf, runsOf, slotsByShard, type SlotOwners } from './slot-owners.ts';
import { fewestSlotsMoved, type Weights } from './slot-shares.ts';

const IDS = ['s1', 's2', 's3', 's4', 's5'];

/** Any cut of all slots into runs, each of any shard; some perhaps of nobody, or of one that left. */
const owners: fc.Arbitrary<SlotOwners> = fc
  .record({
    cuts: fc.uniqueArray(fc.integer({ min: 1, max: SLOT_COUNT - 1 }), { maxLength: 12 }),
    of: fc.array(fc.constantFrom<string | undefined>(...IDS, 'gone', undefined), {
      minLength: 13,
      maxLength: 13,
    }),
  })
  .map(({ cuts, of }) => {
    const sorted = [0, ...cuts.sort((a, b) => a - b), SLOT_COUNT];
    return sorted
      .slice(1)
      .flatMap((end, index) => Array.from({ length: end - (sorted[index] ?? 0) }, () => of[index]));
  });

const weight = fc.oneof(
  fc.constant(1),
  fc.constant(0),
  fc.integer({ min: 1, max: 9 }),
  fc.double({ min: 0.001, max: 1000, noNaN: true }),
);

const weights: fc.Arbitrary<Weights> = fc
  .array(weight, { minLength: 1, maxLength: IDS.length })
  .filter((list) => list.some((each) => each > 0))
  .map((list) => Object.fromEntries(list.map((each, index) => [IDS[index] ?? '', each])));

function balanced(from: SlotOwners, by: Weights, wanted: SlotOwners = []): SlotOwners {
  const all = [...IDS, 'gone'];
  return ownersOf(
    balanceSlots({
      present: slotsByShard(from, all),
      weights: by,
      wanted: slotsByShard(wanted, all),
    }),
  );
}

function movedBetween(from: SlotOwners, to: SlotOwners): number {
  return from.filter((owner, slot) => owner !== undefined && to[slot] !== owner).length;
}

/** Every way of rounding the shares, and what each costs at the least. */
function fewestByTrying(from: SlotOwners, by: Weights): number {
  const total = Object.values(by).reduce((sum, each) => sum + each, 0);
  const exact = Object.entries(by).map(([id, each]) => [id, (SLOT_COUNT * each) / total] as const);
  const counts = countByOwner(from);
  const unnamed = [...counts].filter(([id]) => !(id in by)).reduce((sum, [, n]) => sum + n, 0);
  let best = Number.POSITIVE_INFINITY;
  const visit = (index: number, given: number, cost: number): void => {
    const [id, share] = exact[index] ?? [];
    if (id === undefined || share === undefined) {
      if (given === SLOT_COUNT) best = Math.min(best, cost);
      return;
    }
    for (const slots of new Set([Math.floor(share + 1e-6), Math.ceil(share - 1e-6)])) {
      visit(index + 1, given + slots, cost + Math.max(0, (counts.get(id) ?? 0) - slots));
    }
  };
  visit(0, 0, unnamed);
  return best;
}

describe('balanceSlots, from anywhere to any weights', () => {
  test('gives every shard its share, rounded, and moves as few slots as are proved to be needed', () => {
    fc.assert(
      fc.property(owners, weights, (from, by) => {
        const to = balanced(from, by);
        const counts = countByOwner(to);
        const total = Object.values(by).reduce((sum, each) => sum + each, 0);
        for (const [id, each] of Object.entries(by)) {
          const share = (SLOT_COUNT * each) / total;
          expect(Math.abs((counts.get(id) ?? 0) - share)).toBeLessThan(1);
        }
        expect([...counts.values()].reduce((sum, count) => sum + count, 0)).toBe(SLOT_COUNT);
        const bound = fewestSlotsMoved(by, countByOwner(from));
        expect(movedBetween(from, to)).toBe(bound);
        expect(fewestByTrying(from, by)).toBe(bound);
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  test('is done when it is done', () => {
    fc.assert(
      fc.property(owners, weights, (from, by) => {
        const to = balanced(from, by);
        expect(balanced(to, by)).toEqual(to);
      }),
      { numRuns: 20 },
    );
  }, 60_000);

  test('cuts no more runs than there are shards that give and take', () => {
    fc.assert(
      fc.property(owners, weights, (from, by) => {
        const to = balanced(from, by);
        const changes = from.map((owner, slot) => (owner === to[slot] ? undefined : to[slot]));
        const moved = runsOf(changes).filter(({ owner }) => owner !== undefined).length;
        expect(moved).toBeLessThanOrEqual(runsOf(from).length + 2 * (IDS.length + 2));
      }),
      { numRuns: 40 },
    );
  }, 60_000);

  test('lets slots that are on their way go on, and moves no more for it', () => {
    fc.assert(
      fc.property(owners, weights, fc.nat({ max: 1000 }), (from, by, count) => {
        const wanted = balanced(from, by);
        // A part of the way: the first slots that change hands have done so.
        let left = count;
        const halfway = from.map((owner, slot) => {
          if (wanted[slot] === owner || left === 0) return owner;
          left -= 1;
          return wanted[slot];
        });
        const counts = countByOwner(halfway);
        const to = balanced(halfway, by, wanted);
        expect(movedBetween(halfway, to)).toBe(fewestSlotsMoved(by, counts));
        const isOwned = from.every((owner) => owner !== undefined);
        expect(isOwned ? to : wanted).toEqual(wanted);
      }),
      { numRuns: 30 },
    );
  }, 60_000);
});

test('a fourth shard takes a quarter of each other one, next to what it has already', () => {
  const present = {
    s1: [{ start: 0, end: 5460 }],
    s2: [{ start: 5461, end: 10_922 }],
    s3: [{ start: 10_923, end: 16_383 }],
  };
  const slots = balanceSlots({ present, weights: { s1: 1, s2: 1, s3: 1, s4: 1 }, wanted: {} });
  expect(Object.values(slots).map((ranges) => countSlots(ranges))).toEqual([
    4096, 4096, 4096, 4096,
  ]);
  expect(formatRanges(slots['s4'] ?? [])).toBe('4096-6826 15019-16383');
});
