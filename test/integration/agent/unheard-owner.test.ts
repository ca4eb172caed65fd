/**
 * A target that dies right after it has taken a slot, before its replica has heard of that: what Redis does by itself,
 * and what `docs/adr/0016-the-mover.md` relies on.
 */
import { afterEach, expect, inject, test } from 'vitest';

import { BareCluster, NODE_TIMEOUT_MS } from '../../support/migration/bare-cluster.ts';
import { until } from '../../support/until.ts';

type Name = 's' | 't' | 'w1' | 'w2' | 't2';

/** Of tag `cv`. */
const SLOT = 40;
const ELECTED_WITHIN_MS = 8 * NODE_TIMEOUT_MS;

let cluster: BareCluster<Name>;

afterEach(async () => cluster?.stop());

test('its replica is told by whoever has heard, and elected only then: it has the slot', async () => {
  const masters = ['s', 't', 'w1', 'w2'] as const;
  const release = inject('release');
  cluster = await BareCluster.start<Name>({ release, masters, replicas: { t2: 't' } });
  await cluster.call('t2', 'CONFIG', 'SET', 'cluster-replica-no-failover', 'no');
  await cluster.set('t', SLOT, 'IMPORTING', cluster.id('s'));
  await cluster.set('s', SLOT, 'MIGRATING', cluster.id('t'));
  await cluster.asking('t', 'set', '{cv}1', 'went');
  expect(await cluster.call('t', 'WAIT', 1, 5_000)).toBe(1);
  cluster.signal('t2', 'SIGSTOP');
  await cluster.set('t', SLOT, 'NODE', cluster.id('t'));
  await cluster.untilSeen(SLOT, 't', ['w1']);
  await cluster.kill('t');
  cluster.signal('t2', 'SIGCONT');
  await until(
    'an election',
    async () => String(await cluster.call('t2', 'ROLE')).startsWith('master'),
    ELECTED_WITHIN_MS,
  );
  await cluster.untilSeen(SLOT, 't2', ['t2', 's', 'w1', 'w2']);
  expect(await cluster.call('t2', 'GET', '{cv}1')).toBe('went');
}, 120_000);
