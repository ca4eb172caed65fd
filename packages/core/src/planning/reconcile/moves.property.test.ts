import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Layout } from '../../model/layout.ts';
import type { Observation } from '../../model/observation.ts';
import { countSlots, formatRanges, SLOT_COUNT } from '../../model/slots.ts';
import { settle } from '../settle.ts';
import { layoutOf, runningCluster, type Shape } from '../testing/examples.ts';
import { luckOf } from '../testing/move-luck.ts';
import { CHANGES, OVERTAKEN } from '../testing/move-ways.ts';
import { beginChange, withKeys } from '../testing/next-layout.ts';
import { convergeCalmly, newWorld, TANGLED, type World } from '../testing/reconcile-world.ts';
import { reshape, reshapes, type Reshape } from '../testing/reshapes.ts';
import { MOVE_LAW } from '../testing/slot-safety.ts';
import { moveStories, play } from '../testing/stories.ts';

const shapes: fc.Arbitrary<Shape> = fc
  .record({
    hosts: fc.integer({ min: 3, max: 6 }),
    shards: fc.integer({ min: 3, max: 6 }),
    replicas: fc.integer({ min: 0, max: 2 }),
  })
  .filter(({ hosts, replicas }) => hosts > replicas);

const cache = new Map<string, Observation>();

function clusterOf(layout: Layout): Observation {
  const name = JSON.stringify(layout.nodes.map(({ key }) => key));
  const known = cache.get(name) ?? settle(withKeys(runningCluster(layout).observation));
  cache.set(name, known);
  return known;
}

/** Each shard's master has the slots that the layout gives it, and no slot is half way. */
function assertPlaced({ input, truth }: World): void {
  let served = 0;
  for (const { id, slots } of input.layout.shards) {
    const owned = input.layout.nodes
      .filter((node) => node.shard === id)
      .flatMap(({ key }) => {
        const redis = truth.nodes[key]?.redis;
        const self = redis?.view.nodes.find(({ nodeId }) => nodeId === redis.nodeId);
        expect([...(self?.migrating ?? []), ...(self?.importing ?? [])]).toEqual([]);
        return self?.slots ?? [];
      });
    expect(`${id} ${formatRanges(owned)}`).toBe(`${id} ${formatRanges(slots)}`);
    served += countSlots(owned);
  }
  expect(served).toBe(SLOT_COUNT);
}

/** The world once the change has begun; the earlier nodes are found in its layout's past. */
function changed(world: World | undefined, current: Layout, hosts: number, wish: Reshape): World {
  const past = world?.input.former ?? [];
  const next = reshape(current, wish, { hosts, past });
  const { observation, former } = beginChange(world?.truth ?? clusterOf(current), current, next);
  const keys = new Set(next.nodes.map(({ key }) => key));
  const all = [...past.filter(({ key }) => !keys.has(key)), ...former];
  const begun = newWorld(next, { kind: 'change', former: all }, observation, MOVE_LAW);
  for (const key of world?.broken ?? []) begun.broken.add(key);
  return begun;
}

/** Hundreds of operations of dozens of turns each. */
const TIME = 240_000;

describe('a change of shape', () => {
  it(
    'ends where the layout says, with every slot served at every step, whatever breaks meanwhile',
    () => {
      fc.assert(
        fc.property(shapes, reshapes, moveStories, fc.nat(), (shape, wish, story, seed) => {
          fc.pre(shape.hosts > wish.replicas);
          const world = changed(undefined, layoutOf(shape), shape.hosts, wish);
          world.luck = luckOf(seed);
          play(world, story);
          const left = convergeCalmly(world);
          expect([[], [TANGLED]]).toContainEqual(left);
          if (left.length === 0) assertPlaced(world);
        }),
        {
          numRuns: 30,
          examples: CHANGES,
        },
      );
    },
    TIME,
  );

  it(
    'may be overtaken by another one at any moment',
    () => {
      fc.assert(
        fc.property(
          shapes,
          fc.array(fc.tuple(reshapes, moveStories), { minLength: 2, maxLength: 3 }),
          fc.nat(),
          (shape, wishes, seed) => {
            fc.pre(wishes.every(([{ replicas }]) => shape.hosts > replicas));
            let layout = layoutOf(shape);
            let world: World | undefined;
            for (const [wish, story] of wishes) {
              world = changed(world, layout, shape.hosts, wish);
              world.luck = luckOf(seed);
              layout = world.input.layout;
              play(world, story);
            }
            if (world === undefined) return;
            const left = convergeCalmly(world);
            expect([[], [TANGLED]]).toContainEqual(left);
            if (left.length === 0) assertPlaced(world);
          },
        ),
        { numRuns: 15, examples: OVERTAKEN },
      );
    },
    TIME,
  );
});
