/**
 * What the checks around the end of a slot's move are there for: the same scene on real servers with the check, and
 * without it, where keys are lost or views part for good.
 */
import type { MoveSlotsStep } from '@redrover/core';
import { afterEach, describe, expect, inject, test } from 'vitest';

import { BareCluster } from '../../support/migration/bare-cluster.ts';
import { StagedMove, type StagedMoveOptions } from '../../support/migration/staged-move.ts';
import { until } from '../../support/until.ts';

/** Source and target, each with a replica, and two more masters. */
type Name = 's' | 't' | 'w1' | 'w2' | 's2' | 't2';
const MASTERS = ['s', 't', 'w1', 'w2'] as const;
const REPLICAS = { s2: 's', t2: 't' } as const;

/** Of tag `cv`. */
const SLOT = 40;
/** The last ones, of w2. */
const OTHER_SLOTS = [16_382, 16_383] as const;
const KEYS = 200;
/** Of a scene that is a race. */
const MAX_TRIES = 5;

let cluster: BareCluster<Name>;
let move: StagedMove | undefined;

afterEach(async () => {
  const moving = move?.stop();
  move = undefined;
  await cluster?.stop();
  await moving;
});

async function startCluster(notesSyncs = false): Promise<void> {
  const release = inject('release');
  cluster = await BareCluster.start<Name>({
    release,
    masters: MASTERS,
    replicas: REPLICAS,
    notesSyncs,
  });
  for (let n = 0; n < KEYS; n += 1) await cluster.call('s', 'SET', `{cv}${n}`, `value ${n}`);
}

function begin(options: StagedMoveOptions, change: Partial<MoveSlotsStep> = {}): StagedMove {
  move = new StagedMove({ ...cluster.step('s', 't', SLOT), ...change }, options);
  return move;
}

/** Of the keys that were acknowledged, those that no living node has. */
async function lostOf(names: readonly string[], nodes: readonly Name[]): Promise<string[]> {
  const lost: string[] = [];
  for (const name of names) {
    const found = await Promise.all(nodes.map((node) => hasKey(node, name)));
    if (!found.includes(true)) lost.push(name);
  }
  return lost;
}

async function hasKey(node: Name, name: string): Promise<boolean> {
  const count = await cluster.count(node, SLOT);
  if (count === 0) return false;
  const names = (await cluster.call(node, 'CLUSTER', 'GETKEYSINSLOT', SLOT, count)) as string[];
  return names.includes(name);
}

/** Above every epoch that anybody has. */
async function raiseEpoch(name: Name): Promise<void> {
  await cluster.call(name, 'CLUSTER', 'BUMPEPOCH');
}

async function epochOf(name: Name, by: Name = name): Promise<number> {
  const text = String(await cluster.call(by, 'CLUSTER', 'NODES'));
  const line = text.split('\n').find((each) => each.startsWith(cluster.id(name)));
  return Number(line?.split(' ')[6]);
}

describe('invariant 4: a source does not raise its epoch while a slot of it is finalised', () => {
  /** It is the target of somebody else's move as well. */
  async function importOther(): Promise<void> {
    await startCluster();
    for (const slot of OTHER_SLOTS) {
      await cluster.set('s', slot, 'IMPORTING', cluster.id('w2'));
      await cluster.set('w2', slot, 'MIGRATING', cluster.id('s'));
    }
  }

  /** Each time above all that it knows, and everybody is told: in the end two above what the target knows. */
  async function finishOther(): Promise<void> {
    await cluster.set('s', OTHER_SLOTS[0], 'NODE', cluster.id('s'));
    const first = await epochOf('s');
    await until('w1 to have heard', async () => (await epochOf('s', 'w1')) >= first);
    await raiseEpoch('w1');
    const second = await epochOf('w1');
    await until('s to have heard', async () => (await epochOf('w1', 's')) >= second);
    await cluster.set('s', OTHER_SLOTS[1], 'NODE', cluster.id('s'));
  }

  /** Answers how many keys are left. */
  async function playWithoutCheck(): Promise<number> {
    await importOther();
    const { promise: isSent, resolve: send } = Promise.withResolvers<void>();
    const options: StagedMoveOptions = {
      without: ['open-with-one-role', 'finalise-with-one-role'],
      holdAt: 'finaliseTarget',
      // What the source announces from now on reaches the target after NODE.
      onFirst: ['finaliseTarget', () => (cluster.signal('t', 'SIGSTOP'), send())],
    };
    // NODE is given up after half of it: longer than the scene takes on a busy machine.
    const staged = begin(options, { nodeTimeoutMs: 20_000 });
    await staged.held();
    const ports = await cluster.portsOf('t', 'redrover-mover');
    staged.release();
    await isSent;
    await cluster.queued('t', ports);
    await finishOther();
    cluster.signal('t', 'SIGCONT');
    await staged.outcome;
    return (await cluster.count('s', SLOT)) + (await cluster.count('t', SLOT));
  }

  test('the target loses the keys without the check', async () => {
    let left = KEYS;
    // Unless a ping of the source had come just before NODE: what is announced then is read with it.
    for (let tries = 0; tries < MAX_TRIES && left === KEYS; tries += 1) {
      await cluster?.stop();
      left = await playWithoutCheck();
    }
    expect(left).toBe(0);
  });

  test('nothing is lost with it', async () => {
    await importOther();
    const staged = begin({});
    await staged.waits(/s is importing slot/);
    await finishOther();
    for (const slot of OTHER_SLOTS) await cluster.set('w2', slot, 'NODE', cluster.id('s'));
    expect(await staged.outcome).toMatchObject({ ending: 'done', report: { slotsMoved: 1 } });
    await cluster.untilSeen(SLOT, 't');
    expect(await cluster.count('t', SLOT)).toBe(KEYS);
  });
});

describe('invariant 6: the source is asked who it is just before NODE', () => {
  const NEW = Array.from({ length: 20 }, (_, n) => `{cv}new${n}`);

  /** Between the last look and NODE the source hangs, and its replica is promoted and takes writes. */
  async function play(isCareless: boolean): Promise<StagedMove> {
    await startCluster();
    const staged = begin({ holdAt: 'finaliseTarget', isCareless });
    await staged.held();
    cluster.signal('s', 'SIGSTOP');
    await cluster.promote('s2');
    await cluster.untilSeen(SLOT, 's2', ['s2', 'w1', 'w2']);
    for (const name of NEW) expect(await cluster.call('s2', 'SET', name, 'new')).toBe('OK');
    // Its table is frozen for what it imports.
    expect(await cluster.ownerSeenBy('t', SLOT)).toBe('s');
    staged.release();
    return staged;
  }

  test('what its heir took is lost without the check', async () => {
    const staged = await play(true);
    await cluster.untilSeen(SLOT, 't', ['t', 'w1', 'w2', 's2']);
    cluster.signal('s', 'SIGCONT');
    await cluster.untilSeen(SLOT, 't');
    expect(await lostOf(NEW, ['t', 's2'])).toEqual(NEW);
    await staged.stop();
  });

  test('nothing is lost with it, and the next move goes on', async () => {
    const staged = await play(false);
    expect(await staged.outcome).toMatchObject({ ending: 'failed', error: { code: 'fenced' } });
    cluster.signal('s', 'SIGCONT');
    await cluster.untilSeen(SLOT, 's2', ['s2', 's', 'w1', 'w2']);
    // The former source is a replica now, and the target names nobody: it would refuse all keys.
    await until(
      'the target to name no owner',
      async () => (await cluster.ownerSeenBy('t', SLOT)) === undefined,
    );
    expect(await lostOf(NEW, ['s2'])).toEqual([]);
    const plan = cluster.step('s', 't', SLOT);
    const [heir] = plan.sourceReplicas;
    if (heir === undefined) throw new Error('no heir');
    move = new StagedMove({ ...plan, source: heir, sourceReplicas: [plan.source] });
    expect(await move.outcome).toMatchObject({ ending: 'done', report: { quarantined: [] } });
    await cluster.untilSeen(SLOT, 't');
    expect(await cluster.count('t', SLOT)).toBe(KEYS + NEW.length);
  });
});

describe('invariant 7: the target writes down that it owns the slot before the source gives it up', () => {
  /** A target that has the highest epoch already: NODE raises none, and nothing is synced. */
  async function play(options: StagedMoveOptions): Promise<void> {
    await startCluster(true);
    await raiseEpoch('t');
    const epoch = await epochOf('t');
    await until('all to have heard', async () => {
      const seen = await Promise.all(cluster.names.map((name) => epochOf('t', name)));
      return seen.every((each) => each === epoch);
    });
    expect(await begin(options).outcome).toMatchObject({ ending: 'done' });
    await cluster.untilSeen(SLOT, 't');
    expect(await epochOf('t')).toBe(epoch);
    await cluster.powerCut('t');
    await cluster.start('t');
    await until('a cluster that is content', async () => {
      const texts = await Promise.all(
        cluster.names.map((name) => cluster.call(name, 'CLUSTER', 'INFO')),
      );
      return texts.every((text) => String(text).includes('cluster_state:ok'));
    });
  }

  test('after a power cut each of the two says that the other owns it, without the check', async () => {
    let seen: readonly (Name | undefined)[] = ['t'];
    // Unless the target heard of anything just then that makes it sync its nodes.conf.
    for (let tries = 0; tries < MAX_TRIES && seen[0] === 't'; tries += 1) {
      await cluster?.stop();
      await play({ without: ['target-config-is-saved'] });
      seen = await Promise.all([cluster.ownerSeenBy('t', SLOT), cluster.ownerSeenBy('s', SLOT)]);
    }
    expect(seen).toEqual(['s', 't']);
    await expect(cluster.call('t', 'GET', '{cv}0')).rejects.toThrow('MOVED');
    await expect(cluster.call('s', 'GET', '{cv}0')).rejects.toThrow('MOVED');
    // The next move finds out, and brings it home.
    move = new StagedMove(cluster.step('s', 't', SLOT));
    expect(await move.outcome).toMatchObject({ ending: 'done', report: { quarantined: [] } });
    await cluster.untilSeen(SLOT, 't');
    expect(await cluster.count('t', SLOT)).toBe(KEYS);
  });

  test('the slot is the target’s after it, with the check', async () => {
    await play({});
    await cluster.untilSeen(SLOT, 't');
    expect(await cluster.call('t', 'GET', '{cv}0')).toBe('value 0');
    expect(await cluster.count('t', SLOT)).toBe(KEYS);
  });
});

describe('invariant 8: a slot is done when whoever could be promoted has seen where it went', () => {
  /** The source's replica does not know the target, as one that was away when that one joined. */
  async function isolate(): Promise<void> {
    await startCluster();
    await cluster.call('s2', 'CLUSTER', 'FORGET', cluster.id('t'));
  }

  async function replaceSource(): Promise<void> {
    await cluster.kill('s');
    await cluster.promote('s2');
  }

  test('its keys are lost to a promotion after it, without the check', async () => {
    await isolate();
    const staged = begin({ without: ['replicas-have-heard'] });
    expect(await staged.outcome).toMatchObject({ ending: 'done', report: { slotsMoved: 1 } });
    expect(await cluster.count('t', SLOT)).toBe(KEYS);
    const epoch = await epochOf('t');
    await until('s2 to have heard of the epoch, if not of whom', async () => {
      const text = String(await cluster.call('s2', 'CLUSTER', 'INFO'));
      return Number(/cluster_current_epoch:(\d+)/.exec(text)?.[1]) >= epoch;
    });
    await replaceSource();
    await cluster.introduce('s2', 't');
    await cluster.untilSeen(SLOT, 's2', ['s2', 't', 'w1', 'w2']);
    const held = await Promise.all([cluster.count('s2', SLOT), cluster.count('t', SLOT)]);
    expect(held).toEqual([0, 0]);
  });

  test('nothing is lost with it', async () => {
    await isolate();
    const staged = begin({});
    await staged.waits(/s2 to see t as owner/);
    await cluster.introduce('s2', 't');
    expect(await staged.outcome).toMatchObject({ ending: 'done', report: { slotsMoved: 1 } });
    await replaceSource();
    await cluster.untilSeen(SLOT, 't', ['s2', 't', 't2', 'w1', 'w2']);
    expect(await cluster.count('t', SLOT)).toBe(KEYS);
  });
});
