import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextSlotAction } from './slot-machine.ts';
import { assertClosed, assertMoved, findReappeared, tell } from './testing/safety.ts';
import { World, type EventKind, type WorldEvent, type WorldOptions } from './testing/world.ts';

const CALM_TICKS = 900;

/** Events of these kinds, each as often as its weight says. */
function events(weights: Partial<Record<EventKind, number>>): fc.Arbitrary<WorldEvent[]> {
  const kinds = Object.entries(weights).map(([kind, weight]) => ({
    weight,
    arbitrary: fc.constant(kind as EventKind),
  }));
  const event = fc.record({ kind: fc.oneof(...kinds), choice: fc.nat(10_000) });
  return fc.array(event, { minLength: 20, maxLength: 400, size: 'max' });
}

const shape = fc.record({
  witnesses: fc.integer({ min: 2, max: 4 }),
  targetIsHighest: fc.boolean(),
});

/** Shrinking a list of hundreds of events takes longer than reading the actions that a failure prints. */
const LIMITS = { numRuns: Number(process.env['RUNS'] ?? 100), endOnFailure: true };
const TIMEOUT_MS = 60_000;

const STOPS = { stop: 1, resume: 2 };
const PEACE = { mover: 60, client: 30, gossip: 8, replicate: 25, expire: 1 };

function play(
  options: WorldOptions,
  happened: readonly WorldEvent[],
  intent: 'move' | 'settle' = 'move',
): World {
  const world = new World(options, nextSlotAction);
  for (let write = 0; write < 12; write += 1) world.happen({ kind: 'client', choice: write });
  for (const event of happened) world.happen(event);
  world.calmDown(CALM_TICKS, intent);
  world.settle();
  return world;
}

/**
 * Where values may have parted, a person decides: after a promotion, or when nobody is left who knows of an
 * answer that was lost. Nothing else stops a move.
 */
function expectSettled(world: World): void {
  const { end, doubted } = world.mover;
  if (end?.kind !== 'quarantine') {
    assertMoved(world);
    return;
  }
  const { promotions } = world.cluster;
  expect(promotions + doubted.size).toBeGreaterThan(0);
  // A target that dies between NODE and its replica's hearing of it leaves a slot that nobody who serves has.
  const allowed = promotions > 0 ? /(key-differs|slot-owner-disputed)$/ : /key-differs$/;
  expect(`${tell(world)}\n${end.quarantined.evidence.join('\n')}\n${end.quarantined.rule}`).toMatch(
    allowed,
  );
}

describe('moving one slot', { timeout: TIMEOUT_MS }, () => {
  it('loses nothing and shows clients nothing old, whenever the mover dies or is told to stop', () => {
    const dying = events({ ...PEACE, ...STOPS, crashMover: 2, loseAnswer: 2 });
    fc.assert(
      fc.property(shape, dying, (cluster, happened) => {
        const world = play({ ...cluster, waitsForReplica: false }, happened);
        expectSettled(world);
        const { doubted } = world.mover;
        expect(findReappeared(world).filter((key) => !doubted.has(key))).toEqual([]);
      }),
      LIMITS,
    );
  });

  it('loses nothing where nodes die and come back with their AOF, in whatever order', () => {
    const killing = events({
      ...PEACE,
      ...STOPS,
      crashMover: 1,
      loseAnswer: 1,
      kill: 2,
      restart: 12,
    });
    fc.assert(
      fc.property(shape, killing, (cluster, happened) => {
        const world = play({ ...cluster, waitsForReplica: false }, happened);
        expectSettled(world);
        expect(world.cluster.promotions).toBe(0);
      }),
      LIMITS,
    );
  });

  it('loses nothing but unreplicated keys of a dead target where replicas are promoted', () => {
    const promoting = events({
      ...PEACE,
      ...STOPS,
      kill: 2,
      restart: 3,
      fail: 15,
      elect: 15,
      crashMover: 1,
    });
    fc.assert(
      fc.property(shape, promoting, (cluster, happened) => {
        expectSettled(play({ ...cluster, waitsForReplica: true }, happened));
      }),
      LIMITS,
    );
  });

  it('never finalises behind the back of a replica that was promoted across a partition', () => {
    const parting = events({
      ...PEACE,
      ...STOPS,
      cutOff: 2,
      heal: 2,
      fail: 15,
      elect: 15,
      crashMover: 1,
    });
    fc.assert(
      fc.property(shape, parting, (cluster, happened) => {
        expectSettled(play({ ...cluster, waitsForReplica: true }, happened));
      }),
      LIMITS,
    );
  });

  it('gets the slot to a target that came back from a power cut with an old nodes.conf', () => {
    const cutting = events({ ...PEACE, ...STOPS, powerCut: 3, restart: 15, crashMover: 1 });
    fc.assert(
      fc.property(shape, cutting, (cluster, happened) => {
        const world = play({ ...cluster, waitsForReplica: false }, happened);
        assertMoved(world);
        expect(world.cluster.promotions).toBe(0);
      }),
      LIMITS,
    );
  });

  it('closes a slot that shall not move, or finishes it, whatever had happened to it', () => {
    const leaving = events({
      ...PEACE,
      ...STOPS,
      powerCut: 1,
      kill: 1,
      restart: 12,
      crashMover: 2,
    });
    fc.assert(
      fc.property(shape, leaving, (cluster, happened) => {
        const world = play({ ...cluster, waitsForReplica: false }, happened, 'settle');
        assertClosed(world);
        expect(world.cluster.promotions).toBe(0);
      }),
      LIMITS,
    );
  });
});
