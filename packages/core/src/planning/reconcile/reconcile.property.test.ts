import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Layout } from '../../model/layout.ts';
import type { Observation } from '../../model/observation.ts';
import { absentNode } from '../fresh-node.ts';
import { settle } from '../settle.ts';
import { MISFORTUNES, strike, type Misfortune } from '../testing/drift.ts';
import { layoutOf, NOW, runningCluster, type Shape } from '../testing/examples.ts';
import { countLivingOwners } from '../testing/reconcile-safety.ts';
import type { Fate } from '../testing/fate.ts';
import { play, stories } from '../testing/stories.ts';
import {
  CALM_TURNS,
  carryOutTurn,
  convergeCalmly,
  newWorld,
  pass,
  planTurn,
  realityOf,
  TANGLED,
  withHostStatus,
  type World,
} from '../testing/reconcile-world.ts';

const shapes: fc.Arbitrary<Shape> = fc
  .record({
    hosts: fc.integer({ min: 3, max: 6 }),
    shards: fc.integer({ min: 3, max: 6 }),
    replicas: fc.integer({ min: 0, max: 2 }),
  })
  .filter(({ hosts, replicas }) => hosts > replicas);

const cache = new Map<string, Observation>();

/** A cluster with keys in every shard, of which every replica has a copy. */
function clusterOf(layout: Layout): Observation {
  const name = JSON.stringify(layout.nodes.map(({ key }) => key));
  const known = cache.get(name) ?? settle(withKeys(runningCluster(layout).observation));
  cache.set(name, known);
  return known;
}

function withKeys(observation: Observation): Observation {
  const nodes = Object.entries(observation.nodes).map(([key, node]) => {
    const { redis } = node;
    return [key, redis === undefined ? node : { ...node, redis: { ...redis, keys: 100 } }] as const;
  });
  return { ...observation, nodes: Object.fromEntries(nodes) };
}

const recklessStories = fc.array(
  fc.record({
    pick: fc.nat({ max: 30 }),
    misfortune: fc.constantFrom<Misfortune | 'lose-host' | 'boot-host'>(
      ...MISFORTUNES,
      'lose-host',
      'boot-host',
    ),
    fates: fc.array(fc.constantFrom<Fate>('ok', 'ok', 'cut-off', 'never-begun'), {
      minLength: 1,
      maxLength: 8,
    }),
    settles: fc.boolean(),
  }),
  { maxLength: 16 },
);

/** Whatever becomes of the cluster. */
function suffer(world: World, pick: number, what: Misfortune | 'lose-host' | 'boot-host'): void {
  const { nodes } = world.input.layout;
  const node = nodes[pick % nodes.length];
  if (node === undefined) return;
  if (what === 'lose-host' || what === 'boot-host') {
    const status = what === 'lose-host' ? 'lost' : 'online';
    world.truth = withHostStatus(world.truth, node.host, status);
  } else if (world.truth.hosts[node.host]?.status === 'online') {
    world.truth = strike(world.truth, node.key, what);
    if (what === 'crash') world.broken.add(node.key);
  }
}

/** What may be left to a person in the end: nothing else. */
const HOME = [[], [TANGLED]];

/** Hundreds of operations of dozens of turns each. */
const TIME = 120_000;
const RUNS = 60;

describe('a repair', () => {
  it(
    'is safe at every step and brings everything home, whatever broke and breaks meanwhile',
    () => {
      fc.assert(
        fc.property(shapes, stories, (shape, story) => {
          const layout = layoutOf(shape);
          const world = newWorld(layout, {}, clusterOf(layout));
          play(world, story);
          expect(HOME).toContainEqual(convergeCalmly(world));
        }),
        { numRuns: RUNS },
      );
    },
    TIME,
  );

  it(
    'is safe at every step also where shards are lost and hosts come and go',
    () => {
      fc.assert(
        fc.property(shapes, recklessStories, (shape, story) => {
          const layout = layoutOf(shape);
          const world = newWorld(layout, {}, clusterOf(layout));
          for (const { pick, misfortune, fates, settles } of story) {
            suffer(world, pick, misfortune);
            carryOutTurn(world, planTurn(world).steps, fates);
            if (settles) pass(world, 3000);
            else world.input = { ...world.input, now: world.input.now + 1000 };
          }
          for (let turn = 0; turn < CALM_TURNS; turn += 1) {
            pass(world, 9000);
            carryOutTurn(world, planTurn(world).steps, ['ok']);
          }
          const { done, blockers, waits } = planTurn(world);
          expect(done || blockers.length + waits.length > 0).toBe(true);
        }),
        { numRuns: RUNS },
      );
    },
    TIME,
  );

  it(
    'leaves a lost host out, and ends',
    () => {
      fc.assert(
        fc.property(shapes, fc.nat({ max: 5 }), stories, (shape, pick, story) => {
          const layout = layoutOf(shape);
          const names = Object.keys(clusterOf(layout).hosts);
          const lost = withHostStatus(clusterOf(layout), names[pick % names.length] ?? '', 'lost');
          const world = newWorld(layout, {}, settle(lost));
          const standing = countLivingOwners(realityOf(world));
          fc.pre(standing === shape.shards);
          play(world, { ...story, strikes: story.strikes.filter(isNoStray) });
          expect(HOME).toContainEqual(convergeCalmly(world));
        }),
        { numRuns: RUNS },
      );
    },
    TIME,
  );
});

const isNoStray = ({ misfortune }: { readonly misfortune: Misfortune }) => misfortune !== 'stray';

describe('a change', () => {
  it(
    'drains a host and brings it back',
    () => {
      fc.assert(
        fc.property(shapes, stories, stories, (shape, away, back) => {
          fc.pre(shape.replicas > 0);
          const layout = layoutOf(shape);
          const drained = { ...layout, number: 2, drainedHosts: ['h1'] };
          const world = newWorld(drained, { kind: 'change' }, clusterOf(layout));
          play(world, away);
          expect(HOME).toContainEqual(convergeCalmly(world));
          world.input = { ...world.input, history: [], layout: { ...layout, number: 3 } };
          play(world, back);
          expect(HOME).toContainEqual(convergeCalmly(world));
        }),
        { numRuns: RUNS },
      );
    },
    TIME,
  );

  it(
    'moves the nodes of a host, living or lost, to a new one',
    () => {
      fc.assert(
        fc.property(
          shapes,
          fc.boolean(),
          fc.boolean(),
          stories,
          (shape, isLost, returns, story) => {
            const layout = layoutOf(shape);
            const { moved, former, truth } = replaceHost(layout, isLost);
            const world = newWorld(moved, { kind: 'change', former }, truth);
            fc.pre(countLivingOwners(realityOf(world)) === shape.shards);
            play(world, story);
            if (isLost && returns) {
              world.truth = settle(withHostStatus(world.truth, 'h1', 'online'));
            }
            expect(HOME).toContainEqual(convergeCalmly(world));
          },
        ),
        { numRuns: RUNS },
      );
    },
    TIME,
  );

  it(
    'gives nodes the new address of their host',
    () => {
      fc.assert(
        fc.property(shapes, fc.boolean(), stories, (shape, isDown, story) => {
          fc.pre(shape.replicas > 0 || isDown);
          const layout = layoutOf(shape);
          const atNew = layout.nodes.map((node) =>
            node.host === 'h1' ? { ...node, address: '10.1.0.1' } : node,
          );
          const next = { ...layout, number: 2, nodes: atNew };
          const old = clusterOf(layout);
          const own = layout.nodes.filter(({ host }) => host === 'h1');
          const crashed = own.reduce((seen, { key }) => strike(seen, key, 'crash'), old);
          const world = newWorld(next, { kind: 'change' }, settle(isDown ? crashed : old));
          play(world, { ...story, strikes: shape.replicas > 0 ? story.strikes : [] });
          expect(HOME).toContainEqual(convergeCalmly(world));
        }),
        { numRuns: RUNS },
      );
    },
    TIME,
  );
});

/** The nodes of h1 are laid out on h9 with the same ports; h1 may be lost. */
function replaceHost(layout: Layout, isLost: boolean) {
  const former = layout.nodes.filter(({ host }) => host === 'h1');
  const nodes = layout.nodes.map((node) =>
    node.host === 'h1'
      ? { ...node, host: 'h9', key: `h9:${node.port}`, address: '10.0.0.9' }
      : node,
  );
  const moved = { ...layout, number: 2, nodes };
  const before = clusterOf(layout);
  const h1 = before.hosts['h1'];
  if (h1 === undefined) throw new Error('no host h1');
  const added = nodes.filter(({ host }) => host === 'h9');
  const wider: Observation = {
    ...before,
    hosts: { ...before.hosts, h9: { ...h1, name: 'h9', builds: [] } },
    nodes: {
      ...before.nodes,
      ...Object.fromEntries(added.map((node) => [node.key, absentNode(node, NOW)])),
    },
  };
  const truth = settle(isLost ? withHostStatus(wider, 'h1', 'lost') : wider);
  return { moved, former, truth };
}
