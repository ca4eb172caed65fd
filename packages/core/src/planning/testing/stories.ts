/** What happens to an operation in property tests: misfortunes, and steps that end in any way. */
import * as fc from 'fast-check';
import { MISFORTUNES, type Misfortune } from './drift.ts';
import type { Fate } from './fate.ts';
import { befall, carryOutTurn, pass, planTurn, type World } from './reconcile-world.ts';

export interface Story {
  readonly strikes: readonly { readonly pick: number; readonly misfortune: Misfortune }[];
  readonly turns: readonly {
    readonly fates: readonly Fate[];
    readonly settles: boolean;
    readonly forgets: boolean;
    readonly strike: { readonly pick: number; readonly misfortune: Misfortune } | undefined;
  }[];
}

const strikes = fc.record({
  pick: fc.nat({ max: 30 }),
  misfortune: fc.constantFrom<Misfortune>(...MISFORTUNES),
});

const FATES: readonly Fate[] = ['ok', 'ok', 'ok', 'cut-off', 'done-but-failed', 'never-begun'];

export const stories = storiesWith(FATES);

/** Moves of slots also fail half way. */
export const moveStories = storiesWith([...FATES, 'failed']);

function storiesWith(fates: readonly Fate[]): fc.Arbitrary<Story> {
  return fc.record({
    strikes: fc.array(strikes, { maxLength: 5 }),
    turns: fc.array(
      fc.record({
        fates: fc.array(fc.constantFrom(...fates), { minLength: 1, maxLength: 8 }),
        settles: fc.boolean(),
        forgets: fc.boolean(),
        strike: fc.option(strikes, { nil: undefined, freq: 4 }),
      }),
      { maxLength: 14 },
    ),
  });
}

export function play(world: World, story: Story): void {
  const nodes = [...world.input.layout.nodes, ...world.input.former];
  const hit = ({ pick, misfortune }: Story['strikes'][number]) =>
    befall(world, nodes[pick % nodes.length]?.key ?? '', misfortune);
  story.strikes.forEach(hit);
  for (const { fates, settles, forgets, strike: blow } of story.turns) {
    const next = planTurn(world);
    carryOutTurn(world, next.steps, fates);
    if (settles) pass(world, 3000);
    else world.input = { ...world.input, now: world.input.now + 1000 };
    if (blow !== undefined) hit(blow);
    if (forgets) world.input = { ...world.input, history: [] };
  }
  // Tries that were used up end an operation; the next one begins with an empty journal.
  world.input = { ...world.input, history: [] };
}
