/** Slots on their way, and what comes in between: a pause, a cancellation, the end of the controller. */
import { endProcess } from '@redrover/cli';
import type { Cluster } from 'ioredis';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { connectCluster } from '../support/cluster-client.ts';
import { MaintainedCluster, succeed } from '../support/maintained-cluster.ts';
import { TestStack } from '../support/stack.ts';
import { until } from '../support/until.ts';

let stack: TestStack;
let shop: MaintainedCluster;
let client: Cluster;

beforeEach(async () => {
  stack = await TestStack.start({ hosts: 4 });
  shop = await MaintainedCluster.create(stack, { name: 'shop' });
  const { address, port } = await shop.someNode();
  const { password } = await stack.credentials('shop');
  client = connectCluster({ address, port, password });
  await fill(client);
});

afterEach(async () => {
  client?.disconnect();
  await stack?.stop();
});

const LARGE_KEYS = 2_000;
const LARGE_BYTES = 4_096;
const KEYS = Array.from({ length: LARGE_KEYS }, (_, index) => `large:${index}`);

/** 8 MB, of which a quarter is moved. */
async function fill(client: Cluster): Promise<void> {
  const value = 'x'.repeat(LARGE_BYTES);
  await Promise.all(KEYS.map((key) => client.set(key, value)));
}

async function largeKeysLost(): Promise<number> {
  const sizes = await Promise.all(KEYS.map((key) => client.strlen(key)));
  return sizes.filter((size) => size !== LARGE_BYTES).length;
}

interface OperationJson {
  readonly state: string;
  readonly message: string;
  readonly attempts: readonly {
    readonly stepKey: string;
    readonly move?: { readonly slotsMoved: number } | null;
  }[];
}

/** 2 MB at this rate from three sources take some 7 s: time to come in between. */
const RATE = ['--rate', '100kb/s'];

async function startScaling(): Promise<string> {
  const grow = ['cluster', 'scale', 'shop', '--shards', '4', '--allow-weak-quorum'];
  const { id } = await stack.redroverJson<{ id: string }>([...grow, ...RATE, '--yes', '--detach']);
  await until(
    'keys to arrive at the new shard',
    async () => {
      const fourth = (await shop.nodes()).find(({ shard, role }) => {
        return shard === 's4' && role === 'master';
      });
      return fourth !== undefined && Number(await shop.ask(fourth, 'DBSIZE')) > 0;
    },
    90_000,
  );
  return id;
}

const show = (id: string) => stack.redroverJson<OperationJson>(['op', 'show', id]);

async function moversAtWork(): Promise<number> {
  const { http } = stack.stack.endpoints();
  const metrics = await (await fetch(`http://${http}/metrics`)).text();
  const lines = metrics.split('\n').filter((line) => line.startsWith('redrover_movers{'));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

async function expectGrown(): Promise<void> {
  await shop.untilHealthy({ masters: 4, replicas: 4 });
  expect(await shop.keysLost()).toBe(0);
  expect(await largeKeysLost()).toBe(0);
}

/** Slots that a node has half open are none that a client may be left with. */
async function openSlots(): Promise<number> {
  const nodes = await Promise.all(
    (await shop.nodes()).map((node) => shop.ask(node, 'CLUSTER', 'NODES')),
  );
  return nodes.join('\n').match(/\[\d+-[<>]-/g)?.length ?? 0;
}

test('paused, they stop and nothing is half open; resumed, they all arrive', async () => {
  const id = await startScaling();
  await succeed(stack, 'op', 'pause', id);
  await until('no mover to be at work', async () => (await moversAtWork()) === 0);
  expect(await openSlots()).toBe(0);
  expect((await show(id)).state).toBe('paused');
  expect(await largeKeysLost()).toBe(0);
  await succeed(stack, 'op', 'resume', id);
  await succeed(stack, 'op', 'watch', id);
  await expectGrown();
});

test('cancelled, the cluster is valid and it is said what was moved; a repair moves the rest', async () => {
  const id = await startScaling();
  await succeed(stack, 'op', 'cancel', id);
  const { message } = await until('the end', async () => {
    const operation = await show(id);
    return operation.state === 'cancelled' ? operation : undefined;
  });
  expect(message).toMatch(/\d+ slots? with [\d,]+ keys? had been moved/);
  expect(message).toContain('redrover cluster repair shop');
  await expectGrown();
  expect(await openSlots()).toBe(0);
  await succeed(stack, 'cluster', 'repair', 'shop', '--fast', '--yes');
  await expectGrown();
  const { shards } = await stack.layout('shop');
  expect(shards).toHaveLength(4);
});

test('the controller killed, they go on; started again, it follows them to their end', async () => {
  const id = await startScaling();
  const controller = stack.stack.controllerProcess();
  if (controller === undefined) throw new Error('the controller does not run');
  await endProcess(controller, { signal: 'SIGKILL', graceMs: 5_000 });
  expect(await largeKeysLost()).toBe(0);
  await stack.stack.startController();
  await until('the operation to be known again', async () => (await show(id)).state === 'running');
  const watched = await stack.redrover(['op', 'watch', id]);
  expect(watched, watched.stderr).toMatchObject({ exitCode: 0 });
  await expectGrown();
});
