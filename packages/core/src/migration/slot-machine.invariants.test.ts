/** What each check before and after a finalisation is there for: without it, the model loses keys or splits views. */
import { describe, expect, it } from 'vitest';
import { PRESENCE_RULES } from './rules/end-rules.ts';
import { decideSlot, SLOT_RULES } from './slot-machine.ts';
import type { SlotFacts } from './slot-facts.ts';
import { MOVED_SLOT } from './testing/redis-node.ts';
import { findProblem } from './testing/safety.ts';
import { World, type WorldOptions } from './testing/world.ts';

const OPTIONS: WorldOptions = { witnesses: 3, targetIsHighest: false, waitsForReplica: false };

/** The machine without some of its rules. */
function without(...names: readonly string[]) {
  const known = [...PRESENCE_RULES, ...SLOT_RULES].map(({ name }) => name);
  for (const name of names) expect(known).toContain(name);
  const rules = SLOT_RULES.filter(({ name }) => !names.includes(name));
  const presence = PRESENCE_RULES.filter(({ name }) => !names.includes(name));
  return (facts: SlotFacts) => decideSlot(facts, rules, presence);
}

function newWorld(removed: readonly string[], options: Partial<WorldOptions> = {}): World {
  const world = new World({ ...OPTIONS, ...options }, without(...removed));
  for (let choice = 0; choice < 40; choice += 1) world.happen({ kind: 'client', choice });
  expect(world.cluster.node('s1').keys.size).toBeGreaterThan(0);
  return world;
}

/** The mover alone, and replication; until it is true, for `ticks` at the most. */
function work(world: World, ticks: number, until: () => boolean = () => false): void {
  for (let tick = 0; tick < ticks && !until(); tick += 1) {
    for (const node of world.cluster.nodes.values()) world.cluster.replicate(node);
    world.happen({ kind: 'mover', choice: 3 });
  }
}

function idle(world: World, ticks: number): void {
  for (let tick = 0; tick < ticks; tick += 1) world.happen({ kind: 'idle', choice: 0 });
}

function lastAction({ mover }: World): string {
  return mover.actions.at(-1) ?? '';
}

/** The source fails in the eyes of the others, and its replica stands for election. */
function promoteReplicaOfSource(world: World): boolean {
  idle(world, 45);
  world.cluster.markFailed(world.cluster.node('s1'));
  idle(world, 30);
  return world.cluster.elect(world.cluster.node('s2'));
}

/** Ends in an error that names the key, or returns. */
function outcomeOf(play: () => World): string {
  try {
    const world = play();
    return findProblem(world) ?? (world.mover.end?.kind === 'done' ? 'done' : 'waits');
  } catch (error) {
    return String(error).split('\n')[0] ?? '';
  }
}

describe('invariant 4: a source raises no epoch while its slot is finalised', () => {
  const RULES = ['open-with-one-role', 'finalise-with-one-role'];

  /** The source is a target too, and finalises its own slot at the worst moment. */
  function play(removed: readonly string[]): World {
    const world = newWorld(removed);
    world.mover.sourceOtherRole = 'is a target of another task';
    work(world, 200, () => lastAction(world).includes('finaliseTarget'));
    const source = world.cluster.node('s1');
    source.raiseEpoch(source.currentEpoch);
    work(world, 1);
    world.cluster.deliverAll();
    idle(world, 60);
    world.mover.sourceOtherRole = undefined;
    work(world, 400, () => world.mover.end !== undefined);
    return world;
  }

  it('loses the keys of the slot without the check', () => {
    expect(outcomeOf(() => play(RULES))).toMatch(/key . is lost/);
  });

  it('loses nothing with it', () => {
    expect(outcomeOf(() => play([]))).toBe('done');
  });
});

describe('invariant 6: the target does not know that the source was replaced', () => {
  const RULES = [
    'source-failed-over',
    'cluster-state-is-ok',
    'target-sees-source-well',
    'witnesses-name-source',
  ];

  /** The source is cut off when it is empty; its replica is promoted and takes writes. */
  function play(removed: readonly string[]): World {
    const world = newWorld(removed, { oneServer: false });
    const { cluster, mover, clients } = world;
    work(world, 200, () => cluster.node('s1').keys.size === 0);
    mover.crash(true);
    cluster.cutOff(cluster.node('s1'));
    expect(promoteReplicaOfSource(world)).toBe(true);
    cluster.deliverAll();
    for (let choice = 0; clients.acknowledgedBy('s2') === 0; choice += 1) {
      world.happen({ kind: 'client', choice });
    }
    // The mover was started again, with the old source in its task.
    work(world, 60);
    cluster.deliverAll();
    idle(world, 60);
    return world;
  }

  it('loses what the promoted replica took, without any of the checks', () => {
    expect(outcomeOf(() => play(RULES))).toMatch(/key . is lost/);
  });

  it.each(RULES)('loses nothing if only %s is left', (kept) => {
    expect(outcomeOf(() => play(RULES.filter((name) => name !== kept)))).toBe('waits');
  });
});

describe('invariant 7: a power cut of the target after the source gave the slot up', () => {
  /** The target has the highest epoch already: NODE raises none, and fsyncs nothing. */
  function play(removed: readonly string[]): World {
    const world = newWorld(removed, { targetIsHighest: true });
    const { cluster } = world;
    const source = cluster.node('s1');
    const target = cluster.node('t1');
    work(world, 300, () => source.table.get(MOVED_SLOT) === target.id);
    cluster.powerCut(target);
    idle(world, 5);
    cluster.restart(target);
    idle(world, 300);
    return world;
  }

  it('leaves a slot that each of the two says the other owns, without the check', () => {
    const { cluster } = play(['target-config-is-saved']);
    expect(cluster.node('s1').table.get(MOVED_SLOT)).toBe('t1');
    expect(cluster.node('t1').table.get(MOVED_SLOT)).toBe('s1');
  });

  it('leaves the slot with the target with it', () => {
    const { cluster } = play([]);
    expect(cluster.node('t1').owns()).toBe(true);
    expect(cluster.node('s1').owns()).toBe(false);
  });

  it('gets a slot that was left so to the target', () => {
    const world = play(['target-config-is-saved']);
    world.mover.crash();
    work(world, 300, () => world.mover.end !== undefined);
    expect(world.mover.end).toMatchObject({ kind: 'done', moved: true });
    expect(findProblem(world)).toBeUndefined();
  });
});

describe('invariant 8: whoever could take the slot back has seen that it went', () => {
  const RULES = ['masters-are-told', 'replicas-have-heard'];

  /** No message of the target gets through for long; then the source dies. */
  function play(removed: readonly string[]): World {
    const world = newWorld(removed, { oneServer: false });
    const { cluster, mover } = world;
    cluster.mute('t1');
    work(world, 150, () => mover.end !== undefined);
    if (mover.end === undefined) cluster.mute(undefined);
    work(world, 300, () => mover.end !== undefined);
    // Its replica has heard that the keys are gone, if not where they are.
    work(world, 30);
    cluster.kill(cluster.node('s1'));
    promoteReplicaOfSource(world);
    cluster.mute(undefined);
    cluster.deliverAll();
    work(world, 100);
    return world;
  }

  it('loses the keys to a promoted replica without the checks', () => {
    expect(outcomeOf(() => play(RULES))).toMatch(/key . is lost/);
  });

  it.each(RULES)('loses nothing if only %s is left', (kept) => {
    expect(outcomeOf(() => play(RULES.filter((name) => name !== kept)))).toBe('done');
  });

  it('loses nothing with them', () => {
    expect(outcomeOf(() => play([]))).toBe('done');
  });
});
