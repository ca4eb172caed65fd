import { array, assert, nat, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joinWindows, planWindows } from './plan-windows.ts';

const limits = { windowSlots: 16, windowKeys: 1_000 };
const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const sizes = (keys: number, count = 1_200): number[] =>
  planWindows(range(count), () => keys, limits).map(({ length }) => length);

describe('windows of slots', () => {
  it('hold many slots without keys', () => {
    expect(sizes(0)).toEqual([512, 512, 176]);
  });

  it('hold the more slots the fewer keys these have', () => {
    expect(sizes(2)[0]).toBe(500);
    expect(sizes(10)[0]).toBe(100);
  });

  it('hold a few slots with many keys, to have several in flight', () => {
    expect(sizes(100_000)[0]).toBe(16);
  });

  it('take slots without keys along', () => {
    const keysOf = (slot: number): number => (slot % 2 === 0 ? 100 : 0);
    const [first = []] = planWindows(range(100), keysOf, limits);
    expect(first.filter((slot) => keysOf(slot) > 0)).toHaveLength(16);
  });

  it('hold every slot once, in order', () => {
    assert(
      property(array(nat(5_000), { maxLength: 2_000 }), (keys) => {
        const slots = range(keys.length);
        const windows = planWindows(slots, (slot) => keys[slot] ?? 0, limits);
        expect(windows.flat()).toEqual(slots);
        expect(windows.every(({ length }) => length > 0 && length <= 512)).toBe(true);
      }),
    );
  });
});

describe('windows that are taken as one', () => {
  const join = (...lengths: number[]): number => joinWindows(lengths, { idleWindows: 4 });

  it('are as many as the limit says, or as there are', () => {
    expect(join(16, 16, 16, 16, 16)).toBe(4);
    expect(join(16, 16)).toBe(2);
    expect(join()).toBe(0);
  });

  it('have no more slots than one may have, but one is always taken', () => {
    expect(join(500, 12, 1)).toBe(2);
    expect(join(600, 1)).toBe(1);
  });
});
