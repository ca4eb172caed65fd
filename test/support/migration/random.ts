/** Chance that can be had again: everything that a campaign does by chance is drawn from one seed. */

export interface Random {
  /** From `from` up to, without, `to`; whole numbers. */
  integer(from: number, to: number): number;
  pick<T>(from: readonly T[]): T;
  /** True in so many cases of one. */
  chance(probability: number): boolean;
}

/** Mulberry32: 32 bits of state, good enough to choose victims and moments. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const fraction = (): number => {
    state = (state + 0x6d_2b_79_f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const integer = (from: number, to: number): number => from + Math.floor(fraction() * (to - from));
  return {
    integer,
    pick: (from) => {
      const chosen = from[integer(0, from.length)];
      if (chosen === undefined) throw new Error('nothing to choose from');
      return chosen;
    },
    chance: (probability) => fraction() < probability,
  };
}
