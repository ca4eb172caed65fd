/** Replicas, balance, slots by name, and a host that is added: the same cluster in other shapes. */
import { countSlots } from '@redrover/core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { MaintainedCluster, succeed } from '../support/maintained-cluster.ts';
import { TestStack } from '../support/stack.ts';

let stack: TestStack;
let shop: MaintainedCluster;

const THREE = ['h1', 'h2', 'h3'];

beforeAll(async () => {
  stack = await TestStack.start({ hosts: 4 });
  shop = await MaintainedCluster.create(stack, { name: 'shop', placement: { hosts: THREE } });
});

afterAll(async () => stack?.stop());

const run = (...args: readonly string[]) => succeed(stack, ...args);

async function slotsOf(shard: string): Promise<number> {
  const { shards } = await stack.layout('shop');
  return countSlots(shards.find(({ id }) => id === shard)?.slots ?? []);
}

async function expectWhole(size: { masters?: number; replicas?: number } = {}): Promise<void> {
  await shop.untilHealthy(size);
  expect(await shop.keysLost()).toBe(0);
}

test('replicas are added on other hosts, and removed again', async () => {
  await run('cluster', 'scale', 'shop', '--replicas', '2', '--yes');
  await expectWhole({ replicas: 6 });
  const nodes = await shop.nodes();
  for (const shard of ['s1', 's2', 's3']) {
    const hosts = nodes.filter((node) => node.shard === shard).map(({ host }) => host);
    expect(new Set(hosts).size).toBe(3);
  }
  await run('cluster', 'scale', 'shop', '--replicas', '1', '--yes');
  await expectWhole();
  expect(await shop.rolesAway()).toEqual([]);
});

test('a host that is added gets its share of the nodes', async () => {
  const hosts = [...THREE, 'h4'];
  const file = await stack.writeSpec({
    name: 'shop',
    nodeTimeoutMs: 1_000,
    placement: { hosts },
  });
  const saved = await run('cluster', 'apply', '-f', file, '--yes');
  expect(saved.stdout + saved.stderr).toMatch(/spec/i);
  expect(await shop.nodesOn('h4')).toEqual([]);
  await run('cluster', 'spread', 'shop', '--yes');
  expect((await shop.nodesOn('h4')).length).toBeGreaterThan(0);
  expect(await shop.rolesAway()).toEqual([]);
  await expectWhole();
  const again = await run('cluster', 'spread', 'shop', '--yes');
  expect(again.stdout + again.stderr).toMatch(/nothing to do|carries its share/i);
});

test('slots that are named go to the shard that is named', async () => {
  await run('cluster', 'move-slots', 'shop', '--slots', '0-99,200', '--to', 's3', '--yes');
  expect(await slotsOf('s3')).toBe(5461 + 101);
  await expectWhole();
  const args = ['cluster', 'move-slots', 'shop', '--slots', '5', '--to', 's9', '--yes'];
  const { exitCode, stderr } = await stack.redrover(args);
  expect(exitCode).toBe(64);
  expect(stderr).toContain('s9');
});

test('weights make shares, and without them they are equal again', async () => {
  await run('cluster', 'rebalance', 'shop', '--weights', 's1=2', '--yes');
  expect(await slotsOf('s1')).toBe(8192);
  await expectWhole();
  await run('cluster', 'rebalance', 'shop', '--yes');
  const sizes = await Promise.all(['s1', 's2', 's3'].map(slotsOf));
  expect(sizes.toSorted()).toEqual([5461, 5461, 5462]);
  await expectWhole();
});

test('keys are counted where it is they that are to be balanced', async () => {
  const args = ['cluster', 'rebalance', 'shop', '--by', 'keys', '--weights', 's2=3'];
  await run(...args, '--yes');
  await expectWhole();
  const masters = (await shop.nodes()).filter(({ role }) => role === 'master');
  const sizes = new Map<string, number>();
  for (const master of masters) {
    sizes.set(master.shard, Number(await shop.ask(master, 'DBSIZE')));
  }
  // Of 500 keys three fifths; a slot has a key more or less.
  expect(sizes.get('s2')).toBeGreaterThan(290);
  expect(sizes.get('s2')).toBeLessThan(310);
});
