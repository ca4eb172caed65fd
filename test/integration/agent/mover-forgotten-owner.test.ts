/**
 * A source that was replaced while slots were open, and has come back as a replica: the target has forgotten who owns
 * what it imports, takes nobody's word for it, and serves nobody, as not all slots have an owner in its view.
 */
import type { MoveSlotsStep } from '@redrover/core';
import { afterEach, expect, inject, test } from 'vitest';

import { BareCluster } from '../../support/migration/bare-cluster.ts';
import { StagedMove } from '../../support/migration/staged-move.ts';
import { until } from '../../support/until.ts';

type Name = 's' | 't' | 'w1' | 'w2' | 's2';

const KEYS = 2_000;
/** Of the source: a quarter of all. */
const OWN_SLOTS = 4096;
/** More than a mover has open at a time. */
const LEAST_SLOTS = 300;

let cluster: BareCluster<Name>;
let move: StagedMove | undefined;

afterEach(async () => {
  const moving = move?.stop();
  move = undefined;
  await cluster?.stop();
  await moving;
});

/** Slots of the source with a key each, or more. */
async function fill(): Promise<ReadonlyMap<string, number>> {
  const slots = new Map<string, number>();
  for (let n = 0; n < KEYS; n += 1) {
    const key = `key:${n}`;
    const slot = Number(await cluster.call('s', 'CLUSTER', 'KEYSLOT', key));
    if (slot >= OWN_SLOTS) continue;
    await cluster.call('s', 'SET', key, 'x');
    slots.set(key, slot);
  }
  return slots;
}

async function infoOf(name: Name, section: 'CLUSTER' | 'replication'): Promise<string> {
  const [command, argument] = section === 'CLUSTER' ? ['CLUSTER', 'INFO'] : ['INFO', section];
  return String(await cluster.call(name, command, argument));
}

async function replaceSource(): Promise<void> {
  await until('the replica to have all', async () =>
    (await infoOf('s', 'replication')).includes('state=online'),
  );
  cluster.signal('s', 'SIGSTOP');
  await cluster.promote('s2');
  await cluster.untilSeen(OWN_SLOTS - 1, 's2', ['t', 'w1', 'w2']);
  cluster.signal('s', 'SIGCONT');
  await until('it to be a replica', async () =>
    (await infoOf('s', 'replication')).includes('role:slave'),
  );
  await until('the target to have forgotten', async () =>
    (await infoOf('t', 'CLUSTER')).includes('cluster_state:fail'),
  );
}

function step(slots: readonly number[]): MoveSlotsStep {
  const before = cluster.step('s', 't', 0);
  return {
    ...before,
    source: cluster.step('s2', 't', 0).source,
    sourceReplicas: [before.source],
    slots: slots.map((slot) => ({ start: slot, end: slot })),
    nodeTimeoutMs: 2_000,
    options: { ...before.options, pace: 'gentle' },
  };
}

test('is told whom all others name, and goes on', async () => {
  const release = inject('release');
  const masters = ['s', 't', 'w1', 'w2'] as const;
  cluster = await BareCluster.start<Name>({ release, masters, replicas: { s2: 's' } });
  for (const name of cluster.names) {
    await cluster.call(name, 'CONFIG', 'SET', 'cluster-require-full-coverage', 'yes');
  }
  const keys = await fill();
  const slots = [...new Set(keys.values())].toSorted((a, b) => a - b);
  expect(slots.length).toBeGreaterThanOrEqual(LEAST_SLOTS);
  for (const slot of slots) {
    await cluster.set('t', slot, 'IMPORTING', cluster.id('s'));
    await cluster.set('s', slot, 'MIGRATING', cluster.id('t'));
  }
  await replaceSource();
  move = new StagedMove(step(slots));
  const { ending, report, error } = await move.outcome;
  expect(error).toBeUndefined();
  expect({ ending, moved: report.slotsMoved }).toEqual({ ending: 'done', moved: slots.length });
  for (const key of keys.keys()) expect(await cluster.call('t', 'GET', key)).toBe('x');
  await until('the target to serve', async () =>
    (await infoOf('t', 'CLUSTER')).includes('cluster_state:ok'),
  );
});
