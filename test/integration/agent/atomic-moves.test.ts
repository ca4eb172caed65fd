/** The engines where the servers move slots: through an agent, on real servers, under a client that writes. */
import { areCampaignsWanted } from '../../support/migration/campaign-size.ts';
import type { MoveEngine, SlotRange } from '@redrover/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { engineCases } from '../../support/engines.ts';
import { until } from '../../support/until.ts';
import { askWitness } from '../../support/witness.ts';
import { AgentHarness, PASSWORD } from './agent-harness.ts';
import { createCluster } from './cluster.ts';
import { LiveWriter } from './live-writer.ts';
import { ended, MovingCluster } from './moving-cluster.ts';

const PORTS = { masters: [7001, 7002, 7003], replicas: { 7011: 7001, 7012: 7002 } };
const ALL = [7001, 7002, 7003, 7011, 7012];
/** A quarter of what 7001 has, 0 to 5460. */
const SLOTS: readonly SlotRange[] = [
  { start: 2800, end: 3999 },
  { start: 100, end: 264 },
];
/** Of slots 3300, 247 and 3937, which all move. */
const TAGS = ['b', '10', '43'];

for (const { engine, title, isMissing, release } of engineCases([
  'redis-atomic',
  'valkey-atomic',
])) {
  describe.skipIf(isMissing)(`on ${title}`, () => {
    let harness: AgentHarness;
    let cluster: MovingCluster;
    const writers: LiveWriter[] = [];

    beforeEach(async () => {
      harness = await AgentHarness.start({ release: release() });
      await createCluster(harness, PORTS);
      cluster = new MovingCluster(harness, ALL);
    });
    afterEach(async () => {
      for (const writer of writers.splice(0)) writer.disconnect();
      cluster?.close();
      await harness?.stop();
    });

    const request = (slots = SLOTS) => ({ engine, source: 7001, target: 7002, slots });

    function startWriter(): LiveWriter {
      const { address } = harness;
      const writer = new LiveWriter({ address, port: 7001, password: PASSWORD });
      writers.push(writer);
      return writer;
    }

    async function expectHealthy(): Promise<void> {
      const { address } = harness;
      await until("the server's own client to be content", async () => {
        const verdict = await askWitness({
          address,
          port: 7001,
          password: PASSWORD,
          client: release().cli,
        });
        if (!verdict.ok) throw new Error(verdict.text);
        return true;
      });
    }

    test('slots move with their keys, and no acknowledged write is lost', async () => {
      await cluster.fill(7001, 20_000, { tags: ['b'] });
      const writer = startWriter();
      await until('some writes', () => writer.acknowledged > 200);
      const { report, error } = await cluster.move(request());
      expect(error).toBeUndefined();
      expect(report).toMatchObject({ engine, slotsMoved: 1365, quarantined: [], notes: [] });
      expect(report?.keysMoved).toBeGreaterThanOrEqual(20_000);
      expect(report?.bytesMoved).toBeGreaterThan(1_000_000);
      // At once and not only some time later: the step ends when everybody sees it.
      for (const port of ALL) {
        const [seen] = await harness.controller.observe([harness.key(port)]);
        const masters = seen?.redis?.view.nodes.filter(({ slots }) => slots.length > 0) ?? [];
        const target = masters.find(({ port }) => port === 7002);
        expect(target?.slots).toContainEqual({ start: 2800, end: 3999 });
      }
      const seenAfter = writer.acknowledged;
      await until('more writes', () => writer.acknowledged > seenAfter + 200);
      expect(await writer.lost()).toEqual([]);
      expect(
        await cluster.client(7002).call('CLUSTER', 'COUNTKEYSINSLOT', '3300'),
      ).toBeGreaterThanOrEqual(20_000);
      expect(await cluster.client(7001).call('CLUSTER', 'COUNTKEYSINSLOT', '3300')).toBe(0);
      await expectHealthy();
    });

    test('asking again for what was moved changes nothing', async () => {
      await cluster.move(request());
      const { report, error } = await cluster.move(request());
      expect(error).toBeUndefined();
      expect(report).toMatchObject({ slotsMoved: 0, keysMoved: 0 });
    });

    test('functions are known to the new owner, and one that differs is told of', async () => {
      const [source, target] = [cluster.client(7001), cluster.client(7002)];
      const library = (name: string, word: string) =>
        `#!lua name=${name}\nredis.register_function('${name}', function() return '${word}' end)`;
      await source.function('LOAD', library('greet', 'hello'));
      await source.function('LOAD', library('differs', 'here'));
      await target.function('LOAD', library('differs', 'there'));
      const { report } = await cluster.move(request());
      expect(report?.notes).toEqual([expect.stringContaining('function library differs')]);
      expect(await target.fcall('greet', 1, '{b}key')).toBe('hello');
      // Redis itself replaces it, Valkey knows nothing of functions.
      const word = engine === 'redis-atomic' ? 'here' : 'there';
      expect(await target.fcall('differs', 1, '{b}key')).toBe(word);
    });

    test('all types, times to live and large values arrive as they were', async () => {
      const source = cluster.client(7001);
      await source.set('{b}big', 'x'.repeat(32 * 1024 * 1024));
      await source.set('{b}ttl', 'v', 'PX', 3_600_000);
      await source.set(
        Buffer.from([0x7b, 0x62, 0x7d, 0xff, 0x00, 0x0a]),
        Buffer.from([0, 255, 13]),
      );
      await source.hset('{b}hash', { a: '1', b: '2' });
      await source.zadd(
        '{b}zset',
        ...Array.from({ length: 20_000 }, (_, n) => [n, `member:${n}`]).flat(),
      );
      await source.pfadd('{b}hll', ...Array.from({ length: 1_000 }, (_, n) => `e${n}`));
      await source.xadd('{b}stream', '1-1', 'f', 'v');
      await source.xgroup('CREATE', '{b}stream', 'g', '0');
      await source.xreadgroup('GROUP', 'g', 'c', 'STREAMS', '{b}stream', '>');
      const names = ['{b}big', '{b}hash', '{b}zset', '{b}hll', '{b}stream'];
      const before = await Promise.all(names.map((name) => source.dumpBuffer(name)));
      const { error } = await cluster.move(request());
      expect(error).toBeUndefined();
      const target = cluster.client(7002);
      expect(await target.get('{b}big')).toBe('x'.repeat(32 * 1024 * 1024));
      expect(await target.hgetall('{b}hash')).toEqual({ a: '1', b: '2' });
      expect(await target.zcard('{b}zset')).toBe(20_000);
      expect(await target.pfcount('{b}hll')).toBeGreaterThan(950);
      expect(await target.xpending('{b}stream', 'g')).toMatchObject({ 0: 1 });
      expect(await target.pttl('{b}ttl')).toBeGreaterThan(3_000_000);
      expect(await target.getBuffer(Buffer.from([0x7b, 0x62, 0x7d, 0xff, 0x00, 0x0a]))).toEqual(
        Buffer.from([0, 255, 13]),
      );
      expect(before).toHaveLength(names.length);
    });

    test('cancelled in the middle, everything is where it was, and can be moved again', async () => {
      await cluster.fill(7001, 400_000, { tags: TAGS });
      const writer = startWriter();
      const total = await cluster.keys(7001);
      const { id, result } = await cluster.begin(request());
      await until('the servers to be at work', async () => (await tasks(engine, cluster)) > 0);
      await harness.controller.cancel(id);
      const { error } = ended(await result);
      const moved = await cluster.slotsOf(7002);
      await until('the servers to have stopped', async () => (await tasks(engine, cluster)) === 0);
      expect(await cluster.slotsOf(7002)).toBe(moved);
      expect([5462, 5462 + 1365]).toContain(moved);
      // It may have been done by then: that is no failure, and the rule is all or nothing.
      expect(error?.code).toBe(moved === 5462 ? 'cancelled' : undefined);
      expect((await cluster.keys(7001)) + (await cluster.keys(7002))).toBeGreaterThanOrEqual(total);
      const again = await cluster.move(request());
      expect(again.error).toBeUndefined();
      expect(await cluster.slotsOf(7002)).toBe(5462 + 1365);
      expect(await writer.lost()).toEqual([]);
      await expectHealthy();
    });

    test('an agent that is killed in the middle is followed by one that finds the task again', async () => {
      await cluster.fill(7001, 400_000, { tags: TAGS });
      const writer = startWriter();
      await cluster.begin(request());
      await until('the servers to be at work', async () => (await tasks(engine, cluster)) > 0);
      await harness.killAgent('SIGKILL');
      await harness.startAgent();
      // The lost command is sent again, as a controller does that finds the slots where they were.
      const { error } = await cluster.move(request());
      expect(error).toBeUndefined();
      expect(await cluster.slotsOf(7002)).toBe(5462 + 1365);
      expect(await writer.lost()).toEqual([]);
      expect(await limitOf(cluster, 7001)).toBe(DEFAULT_LIMIT);
      await expectHealthy();
    });

    test('without anybody to ask again, the next agent ends what the last one began', async () => {
      await cluster.fill(7001, 400_000, { tags: TAGS });
      await cluster.begin(request());
      await until('the servers to be at work', async () => (await tasks(engine, cluster)) > 0);
      await harness.killAgent('SIGKILL');
      await harness.startAgent();
      await until(
        'the slots to be there',
        async () => (await cluster.slotsOf(7002)) === 5462 + 1365,
      );
      harness.controller.lastHeartbeat = undefined;
      await harness.controller.heartbeat('no mover is left', ({ movers }) => movers.length === 0);
      expect(await limitOf(cluster, 7001)).toBe(DEFAULT_LIMIT);
    });

    for (const [name, port] of [
      ['source', 7001],
      ['target', 7002],
    ] as const) {
      test.skipIf(!areCampaignsWanted())(
        `a ${name} that dies and returns with its data costs a try and no write`,
        async () => {
          await cluster.fill(7001, 300_000, { tags: TAGS });
          const writer = startWriter();
          await until('some writes', () => writer.acknowledged > 100);
          const { result } = await cluster.begin(request());
          await until('the servers to be at work', async () => (await tasks(engine, cluster)) > 0);
          harness.signal(port, 'SIGKILL');
          // The agent starts it again at once, as its AOF is whole and its replica has not been elected.
          const first = ended(await result);
          expect(['unavailable', 'failed-precondition', undefined]).toContain(first.error?.code);
          await harness.inState(port, 'running');
          await cluster.untilAgreed();
          const [seen] = await harness.controller.observe([harness.key(port)]);
          const [master] = seen?.redis?.role === 'master' ? [port] : [port + 10];
          const source = name === 'source' ? master : 7001;
          const target = name === 'target' ? master : 7002;
          const again = await cluster.move({ engine, source, target, slots: SLOTS });
          expect(again.error).toBeUndefined();
          expect(await cluster.slotsOf(target)).toBe(5462 + 1365);
          const lost = await writer.lost();
          // What its replica had not received yet is lost with a node that did not return in time.
          expect(master === port ? lost : []).toEqual([]);
        },
      );

      test(`a ${name} whose replica is promoted ends the task, and the next one moves from there`, async () => {
        await cluster.fill(7001, 300_000, { tags: TAGS });
        const total = await cluster.keys(7001);
        await until('the replica to have it all', async () => (await cluster.keys(7011)) === total);
        const { result } = await cluster.begin(request());
        await until('the servers to be at work', async () => (await tasks(engine, cluster)) > 0);
        harness.signal(port, 'SIGSTOP');
        await until('the replica to be promoted', async () => {
          const [role] = (await cluster.client(port + 10).call('ROLE')) as [string];
          return role === 'master';
        });
        const first = ended(await result);
        harness.signal(port, 'SIGCONT');
        expect(['unavailable', 'failed-precondition', undefined]).toContain(first.error?.code);
        await cluster.untilAgreed();
        const source = name === 'source' ? 7011 : 7001;
        const target = name === 'target' ? 7012 : 7002;
        const again = await cluster.move({ engine, source, target, slots: SLOTS });
        expect(again.error).toBeUndefined();
        expect(await cluster.slotsOf(target)).toBe(5462 + 1365);
        expect((await cluster.keys(source)) + (await cluster.keys(target))).toBe(total);
      });
    }

    test('cancelled by others again and again, it fails in the end, and key by key they move', async () => {
      await cluster.fill(7001, 200_000, { tags: TAGS });
      const writer = startWriter();
      const total = await cluster.keys(7001);
      const { result } = await cluster.begin(request());
      const ending = new AbortController();
      const first = result.finally(() => ending.abort());
      while (!ending.signal.aborted) await cancelAll(engine, cluster);
      const { error } = ended(await first);
      expect(error).toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining('cancelled by somebody else'),
      });
      expect(await tasks(engine, cluster)).toBe(0);
      expect(await cluster.slotsOf(7002)).toBe(5462);
      const next = await cluster.move({
        ...request(),
        engine: 'migrate',
        options: { pace: 'fast' },
      });
      expect(next.error).toBeUndefined();
      expect(await cluster.slotsOf(7002)).toBe(5462 + 1365);
      expect((await cluster.keys(7001)) + (await cluster.keys(7002))).toBeGreaterThanOrEqual(total);
      expect(await writer.lost()).toEqual([]);
      await expectHealthy();
    });

    test('is refused without harm: open slots, no room at the target, a replica', async () => {
      const [source, target] = [cluster.client(7001), cluster.client(7002)];
      await cluster.fill(7001, 50_000, { tags: TAGS });
      const ids = await Promise.all([source, target].map((client) => client.cluster('MYID')));
      await source.cluster('SETSLOT', 5000, 'MIGRATING', ids[1] ?? '');
      expect((await cluster.move(request())).error).toMatchObject({
        code: 'failed-precondition',
        message: expect.stringContaining('open slots'),
      });
      await source.cluster('SETSLOT', 5000, 'STABLE');
      const [, used] = /used_memory:(\d+)/.exec(await target.info('memory')) ?? [];
      await target.config('SET', 'maxmemory', Number(used) + 1_000_000);
      expect((await cluster.move(request())).error).toMatchObject({
        code: 'resource-exhausted',
        message: expect.stringContaining('maxmemory'),
      });
      await target.config('SET', 'maxmemory', 0);
      expect((await cluster.move({ ...request(), source: 7011 })).error?.code).toBe(
        'failed-precondition',
      );
      expect(await cluster.slotsOf(7002)).toBe(5462);
      expect((await cluster.move(request())).error).toBeUndefined();
    });
  });
}

const DEFAULT_LIMIT = 'normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60';

async function limitOf(cluster: MovingCluster, port: number): Promise<string> {
  const [, value = ''] = (await cluster
    .client(port)
    .call('CONFIG', 'GET', 'client-output-buffer-limit')) as string[];
  return value;
}

/** As a person might, at the end that is in charge. */
async function cancelAll(engine: MoveEngine, cluster: MovingCluster): Promise<void> {
  if (engine === 'redis-atomic') {
    await cluster.client(7002).call('CLUSTER', 'MIGRATION', 'CANCEL', 'ALL');
    return;
  }
  // Refused while there is none.
  await cluster
    .client(7001)
    .call('CLUSTER', 'CANCELSLOTMIGRATIONS')
    .catch(() => {});
}

/** How many slot migrations 7001 has at work, in its own words. */
async function tasks(engine: MoveEngine, cluster: MovingCluster): Promise<number> {
  const question =
    engine === 'redis-atomic' ? ['MIGRATION', 'STATUS', 'ALL'] : ['GETSLOTMIGRATIONS'];
  const all = (await cluster.client(7001).call('CLUSTER', ...question)) as string[][];
  const over = ['completed', 'success', 'failed', 'cancelled', 'canceled'];
  return all.filter((fields) => !over.includes(fields[fields.indexOf('state') + 1] ?? '')).length;
}
