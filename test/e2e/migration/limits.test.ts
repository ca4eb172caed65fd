/** Bounds that an operator sets to a move, and a source that is left without slots. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { engineCases } from '../../support/engines.ts';
import { MixedData } from '../../support/migration/mixed-data.ts';
import { MoveCluster } from '../../support/migration/move-cluster.ts';
import { withNode } from '../../support/migration/raw-nodes.ts';
import { roleOf } from '../../support/migration/victims.ts';
import { connectCluster } from '../../support/cluster-client.ts';
import { until } from '../../support/until.ts';

// Clusters are created, filled and read back, on machines that do other things as well.
vi.setConfig({ testTimeout: 300_000 });

const [MIGRATE] = engineCases(['migrate']);

interface EndedJson {
  readonly state: string;
  readonly moved: {
    readonly slots: number;
    readonly bytes: number;
    readonly durationMs: number;
    readonly quarantined: readonly { readonly slot: number; readonly rule: string }[];
  };
}

let cluster: MoveCluster;

beforeEach(async () => {
  if (MIGRATE === undefined) throw new Error('no release');
  cluster = await MoveCluster.start({
    release: MIGRATE.release(),
    nodeTimeoutMs: 5_000,
    // One more than is needed for a majority, so that one may be drained.
    shards: 4,
    hosts: 4,
  });
});

afterEach(async () => cluster?.stop());

async function ended(id: string): Promise<EndedJson> {
  return cluster.stack.redroverJson<EndedJson>(['op', 'show', id]);
}

test('a slot with too large a key stays, the others go, and a person is asked', async () => {
  const client = cluster.connect();
  try {
    const data = await MixedData.write(client, { keys: 2_000 });
    // Slot 5061 of the second shard (CLUSTER KEYSLOT bar).
    await client.call('SET', 'bar', 'x'.repeat(4_000_000));
    const slots = ['--slots', '5000-5100', '--to', 's4'];
    const change = ['cluster', 'move-slots', cluster.name, ...slots, '--max-key-bytes', '1mb'];
    const said = await cluster.stack.redrover([...change, '--yes', '-o', 'json']);
    expect(said.exitCode, said.stderr).toBe(2);
    const [operation] = await cluster.stack.redroverJson<{ id: string }[]>(['op', 'ls']);
    const { state, moved } = await ended(operation?.id ?? '');
    expect(state).toBe('needs-decision');
    expect(moved.quarantined).toEqual([
      expect.objectContaining({ slot: 5061, rule: 'key-too-large' }),
    ]);
    const { nodes } = await cluster.untilWhole();
    const owners = nodes[0]?.owners ?? [];
    const moving = owners.slice(5_000, 5_101);
    // All but one have the same owner; the one is with its neighbours of before.
    expect(moving.filter((owner) => owner === owners[16_000])).toHaveLength(100);
    expect(owners[5_061]).toBe(owners[5_200]);
    expect(await client.strlen('bar')).toBe(4_000_000);
    expect(await data.findLost(client)).toEqual([]);
  } finally {
    client.disconnect();
  }
});

test('a master that is drained stays a master, and is filled again', async () => {
  const client = cluster.connect();
  try {
    const data = await MixedData.write(client, { keys: 2_000 });
    const drained = await cluster.begin('rebalance', '--weights', 's2=0');
    expect((await cluster.endOf(drained ?? '')).operation.state).toBe('done');
    const nodes = cluster.nodes.filter(({ shard }) => shard === 's2');
    const roles = async () => Promise.all(nodes.map((node) => roleOf(cluster, node)));
    expect((await roles()).sort()).toEqual(['master', 'replica']);
    for (const node of nodes) {
      expect(await withNode(node, cluster.password, (each) => each.dbsize())).toBe(0);
    }
    const filled = await cluster.begin('rebalance', '--weights', 's2=1');
    expect((await cluster.endOf(filled ?? '')).operation.state).toBe('done');
    expect((await roles()).sort()).toEqual(['master', 'replica']);
    await cluster.untilWhole();
    expect(await data.findLost(client)).toEqual([]);
  } finally {
    client.disconnect();
  }
});

test('no source sends more than its rate, and commands keep to the latency that was asked for', async () => {
  const client = cluster.connect();
  try {
    await MixedData.write(client, { keys: 6_000 });
    for (const node of cluster.nodes) {
      await withNode(node, cluster.password, async (each) => {
        await each.config('SET', 'slowlog-log-slower-than', '15000');
        await each.config('SET', 'slowlog-max-len', '10000');
        await each.call('SLOWLOG', 'RESET');
        await each.config('RESETSTAT');
      });
    }
    const limits = ['--max-latency', '5ms', '--rate', '1mb/s'];
    const id = await cluster.begin('move-slots', '--slots', '0-2500', '--to', 's2', ...limits);
    expect((await cluster.endOf(id ?? '')).operation.state).toBe('done');
    const { moved } = await ended(id ?? '');
    expect(moved.bytes).toBeGreaterThan(1_000_000);
    // A burst of one batch at the beginning is within the bound.
    expect((moved.bytes * 1_000) / moved.durationMs).toBeLessThan(1_500_000);
    // The servers' own clocks: hardly any command took three times of what was asked for.
    let slow = 0;
    let calls = 0;
    for (const node of cluster.nodes) {
      await withNode(node, cluster.password, async (each) => {
        const entries = (await each.call('SLOWLOG', 'GET', '10000')) as unknown[][];
        const names = entries.map((entry) => String((entry[3] as unknown[])[0]).toLowerCase());
        slow += names.filter((name) => name === 'migrate').length;
        const stats = await each.info('commandstats');
        calls += Number(/cmdstat_migrate:calls=(\d+)/.exec(stats)?.[1] ?? 0);
      });
    }
    expect(calls).toBeGreaterThan(20);
    expect(slow / calls).toBeLessThan(0.1);
  } finally {
    client.disconnect();
  }
});

test('keys that no client can reach are found', async () => {
  const [source, target] = ['s2', 's3'].map((shard) =>
    cluster.nodes.find((node) => node.shard === shard),
  );
  if (source === undefined || target === undefined) throw new Error('no nodes');
  const owner = (await roleOf(cluster, source)) === 'master' ? source : undefined;
  const other = (await roleOf(cluster, target)) === 'master' ? target : undefined;
  if (owner === undefined || other === undefined) throw new Error('not the masters');
  const { nodes } = await cluster.untilWhole();
  const idOf = ({ host, port }: typeof owner) =>
    nodes.find(({ address }) => address === `${host}:${port}`)?.id ?? '';
  // As a tool leaves it that opens a slot, writes, and closes it without looking.
  await withNode(other, cluster.password, async (each) => {
    await each.call('CLUSTER', 'SETSLOT', '5061', 'IMPORTING', idOf(owner));
    await Promise.all([each.call('ASKING'), each.call('SET', 'bar', 'stranded')]);
    await each.call('CLUSTER', 'SETSLOT', '5061', 'STABLE');
  });
  expect((await cluster.truth()).faults.join()).toContain('keys in slots of others');
  await until('the examination to name the slot', async () => {
    const { stdout } = await cluster.stack.redrover(['cluster', 'check', cluster.name]);
    return stdout.includes(`slot 5061: 1 keys; ${owner.key} owns it`);
  });
  const change = ['cluster', 'move-slots', cluster.name, '--slots', '5061', '--to', 's3', '--yes'];
  const said = await cluster.stack.redrover(change);
  const client = connectCluster({
    address: owner.host,
    port: owner.port,
    password: cluster.password,
  });
  try {
    // Never served as if it were the slot's own, whatever was decided about it.
    expect(said.exitCode, said.stdout).not.toBe(0);
    expect(`${said.stdout}${said.stderr}`).toMatch(/orphan|keys-of-another|not its own|5061/);
    expect(await client.get('bar')).toBeNull();
    // Other slots go; that these keys are there is still said in the end.
    const id = await cluster.begin('move-slots', '--slots', '0-50', '--to', 's3');
    const { operation } = await cluster.endOf(id ?? '');
    expect(operation).toMatchObject({
      state: 'needs-decision',
      message: expect.stringContaining('in 1 slots that others own'),
    });
  } finally {
    client.disconnect();
  }
});
