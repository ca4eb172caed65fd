import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Layout } from '../../model/layout.ts';
import type { Observation } from '../../model/observation.ts';
import { countSlots, formatRanges, SLOT_COUNT } from '../../model/slots.ts';
import { settle } from '../settle.ts';
import { layoutOf, runningCluster, type Shape } from '../testing/examples.ts';
import { luckOf } from '../testing/move-luck.ts';
import { beginChange, withKeys } from '../testing/next-layout.ts';
import { convergeCalmly, newWorld, TANGLED, type World } from '../testing/reconcile-world.ts';
import { reshape, reshapes, type Reshape } from '../testing/reshapes.ts';
import { MOVE_LAW } from '../testing/slot-safety.ts';
import { moveStories, play, type Story } from '../testing/stories.ts';

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

/** A master was elected for a shard that shall have no slots, and what it has goes to a third one. */
const ELECTED_FOR_NOTHING: [Shape, Reshape, Story, number] = [
  { hosts: 3, shards: 5, replicas: 1 },
  { shards: 6, replicas: 0, dropped: 0, runs: [{ weight: 1, shard: 0 }] },
  {
    strikes: [{ pick: 17, misfortune: 'stray' }],
    turns: [
      {
        fates: ['ok'],
        settles: false,
        forgets: false,
        strike: { pick: 25, misfortune: 'stop' },
      },
    ],
  },
  0,
];

/** The only replica of the shard that shall get all slots was elected for another one. */
const COPY_ELECTED_ELSEWHERE: [Shape, Reshape, Story, number] = [
  { hosts: 3, shards: 3, replicas: 1 },
  { shards: 3, replicas: 1, dropped: 0, runs: [{ weight: 1, shard: 0 }] },
  {
    strikes: [
      { pick: 19, misfortune: 'stray' },
      { pick: 28, misfortune: 'stop' },
    ],
    turns: [],
  },
  0,
];

/** A replica follows a master that has no slots any more, and whose shard another one serves. */
const FOLLOWS_NOBODY: [Shape, Reshape, Story, number] = [
  { hosts: 3, shards: 4, replicas: 1 },
  { shards: 4, replicas: 0, dropped: 0, runs: [{ weight: 1, shard: 1 }] },
  {
    strikes: [
      { pick: 21, misfortune: 'stray' },
      { pick: 4, misfortune: 'stop' },
    ],
    turns: [
      {
        fates: ['never-begun'],
        settles: false,
        forgets: false,
        strike: { pick: 0, misfortune: 'stop' },
      },
    ],
  },
  0,
];

/** Who was elected has more of what a third shard shall have than that shard's own master. */
const OWNS_MORE: [Shape, Reshape, Story, number] = [
  { hosts: 4, shards: 4, replicas: 1 },
  {
    shards: 5,
    replicas: 0,
    dropped: 0,
    runs: [
      { weight: 2, shard: 0 },
      { weight: 1, shard: 2 },
    ],
  },
  {
    strikes: [{ pick: 25, misfortune: 'stray' }],
    turns: [
      {
        fates: ['ok'],
        settles: false,
        forgets: false,
        strike: { pick: 21, misfortune: 'stop' },
      },
    ],
  },
  0,
];

/** All replicas of a shard follow the master of another one, whose slots that shard shall have. */
const MASTER_OF_TWO: [Shape, Reshape, Story, number] = [
  { hosts: 3, shards: 4, replicas: 2 },
  {
    shards: 3,
    replicas: 2,
    dropped: 0,
    runs: [
      { weight: 1, shard: 5 },
      { weight: 1, shard: 1 },
    ],
  },
  {
    strikes: [
      { pick: 1, misfortune: 'stray' },
      { pick: 18, misfortune: 'stop' },
    ],
    turns: [],
  },
  0,
];

/** Masters serve each other's shards, and the only replica of one shall be the other's: that is said, not waited for. */
const WAITS_FOR_A_STRAY: [Shape, Reshape, Story, number] = [
  { hosts: 4, shards: 3, replicas: 1 },
  {
    shards: 4,
    replicas: 0,
    dropped: 0,
    runs: [
      { weight: 2, shard: 2 },
      { weight: 1, shard: 0 },
      { weight: 1, shard: 1 },
      { weight: 1, shard: 0 },
    ],
  },
  {
    strikes: [{ pick: 23, misfortune: 'stop' }],
    turns: [
      {
        fates: ['ok'],
        settles: false,
        forgets: false,
        strike: { pick: 19, misfortune: 'stray' },
      },
      {
        fates: ['ok'],
        settles: false,
        forgets: false,
        strike: { pick: 12, misfortune: 'stray' },
      },
      {
        fates: ['ok'],
        settles: false,
        forgets: false,
        strike: { pick: 13, misfortune: 'stop' },
      },
    ],
  },
  0,
];

/** The only replica that a shard shall have is master of another one, and hands it over once others are moved. */
const WAITS_FOR_A_MASTER: [Shape, Reshape, Story, number] = [
  { hosts: 4, shards: 3, replicas: 1 },
  {
    shards: 4,
    replicas: 0,
    dropped: 0,
    runs: [
      { weight: 1, shard: 0 },
      { weight: 2, shard: 2 },
      { weight: 1, shard: 0 },
      { weight: 2, shard: 1 },
      { weight: 1, shard: 0 },
    ],
  },
  {
    strikes: [{ pick: 23, misfortune: 'crash' }],
    turns: [
      {
        fates: ['ok'],
        settles: false,
        forgets: false,
        strike: { pick: 19, misfortune: 'stray' },
      },
      {
        fates: ['ok'],
        settles: false,
        forgets: false,
        strike: { pick: 12, misfortune: 'stray' },
      },
      {
        fates: ['ok'],
        settles: false,
        forgets: false,
        strike: { pick: 13, misfortune: 'stop' },
      },
    ],
  },
  0,
];

/** Three new nodes have met each other, and nobody of those that have all slots. */
const NEWCOMERS_ALONE: [Shape, [Reshape, Story][], number] = [
  { hosts: 3, shards: 3, replicas: 1 },
  [
    [
      { shards: 3, replicas: 1, dropped: 0, runs: [{ weight: 1, shard: 0 }] },
      {
        strikes: [{ pick: 0, misfortune: 'stop' }],
        turns: [
          {
            fates: ['ok'],
            settles: false,
            forgets: false,
            strike: { pick: 14, misfortune: 'vanish' },
          },
        ],
      },
    ],
    [
      { shards: 3, replicas: 0, dropped: 0, runs: [{ weight: 1, shard: 0 }] },
      {
        strikes: [
          { pick: 20, misfortune: 'wipe' },
          { pick: 0, misfortune: 'lose-identity' },
        ],
        turns: [],
      },
    ],
  ],
  0,
];

/** A slot of the second change is half way to a master that vanishes in the third, which wants it back where it is. */
const HALF_WAY_TO_NOBODY: [Shape, [Reshape, Story][], number] = [
  { hosts: 3, shards: 6, replicas: 2 },
  [
    [
      {
        shards: 3,
        replicas: 0,
        dropped: 2,
        runs: [
          { weight: 2, shard: 0 },
          { weight: 3, shard: 1 },
        ],
      },
      {
        strikes: [{ pick: 19, misfortune: 'stop' }],
        turns: [
          { fates: ['ok'], settles: true, forgets: false, strike: undefined },
          { fates: ['ok'], settles: true, forgets: false, strike: undefined },
          { fates: ['failed', 'ok'], settles: false, forgets: false, strike: undefined },
        ],
      },
    ],
    [
      { shards: 3, replicas: 0, dropped: 0, runs: [{ weight: 1, shard: 0 }] },
      { strikes: [], turns: [] },
    ],
    [
      {
        shards: 4,
        replicas: 0,
        dropped: 0,
        runs: [
          { weight: 1, shard: 5 },
          { weight: 1, shard: 0 },
        ],
      },
      {
        strikes: [
          { pick: 1, misfortune: 'stop' },
          { pick: 0, misfortune: 'vanish' },
        ],
        turns: [],
      },
    ],
  ],
  0,
];

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
          examples: [
            ELECTED_FOR_NOTHING,
            COPY_ELECTED_ELSEWHERE,
            FOLLOWS_NOBODY,
            OWNS_MORE,
            MASTER_OF_TWO,
            WAITS_FOR_A_STRAY,
            WAITS_FOR_A_MASTER,
          ],
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
        { numRuns: 15, examples: [NEWCOMERS_ALONE, HALF_WAY_TO_NOBODY] },
      );
    },
    TIME,
  );
});
