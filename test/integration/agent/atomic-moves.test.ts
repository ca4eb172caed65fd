/** The engines where the servers move slots: through an agent, on real servers, under a client that writes. */
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';

import { engineCases } from '../../support/engines.ts';
import { until } from '../../support/until.ts';
import { ALL, AtomicCluster, OWN_SLOTS, SLOT_COUNT, TAGS } from './atomic-cluster.ts';
import { ended } from './moving-cluster.ts';

for (const { engine, title, isMissing, release } of engineCases([
  'redis-atomic',
  'valkey-atomic',
])) {
  describe.skipIf(isMissing)(`on ${title}`, () => {
    /** Of all tests, until one leaves it in a state that is not known. */
    let shared: AtomicCluster | undefined;
    let atomic: AtomicCluster;

    beforeEach(async () => {
      shared ??= await AtomicCluster.start(engine, release());
      atomic = shared;
    });
    afterEach(async ({ task }) => {
      const isKept = task.result?.errors === undefined;
      if (
        isKept &&
        (await shared?.putBack().then(
          () => true,
          () => false,
        ))
      )
        return;
      await shared?.stop();
      shared = undefined;
    });
    afterAll(async () => shared?.stop());

    test('slots move with their keys, and no acknowledged write is lost', async () => {
      const { moving, harness } = atomic;
      await moving.fill(7001, 20_000, { tags: ['b'] });
      const writer = await atomic.startWriter();
      const { report, error } = await moving.move(atomic.request());
      expect(error).toBeUndefined();
      expect(report).toMatchObject({ engine, slotsMoved: SLOT_COUNT, quarantined: [], notes: [] });
      expect(report?.keysMoved).toBeGreaterThanOrEqual(20_000);
      expect(report?.bytesMoved).toBeGreaterThan(1_000_000);
      // At once and not only some time later: the step ends when everybody sees it.
      for (const port of ALL) {
        const [seen] = await harness.controller.observe([harness.key(port)]);
        const masters = seen?.redis?.view.nodes.filter(({ slots }) => slots.length > 0) ?? [];
        const target = masters.find((node) => node.port === 7002);
        expect(target?.slots).toContainEqual({ start: 2800, end: 3999 });
      }
      const seenAfter = writer.acknowledged;
      await until('more writes', () => writer.acknowledged > seenAfter + 200);
      expect(await writer.lost()).toEqual([]);
      const count = (port: number) =>
        moving.client(port).call('CLUSTER', 'COUNTKEYSINSLOT', '3300');
      expect(await count(7002)).toBeGreaterThanOrEqual(20_000);
      expect(await count(7001)).toBe(0);
      await atomic.expectHealthy();
    });

    test('asking again for what was moved changes nothing', async () => {
      const { moving } = atomic;
      await moving.move(atomic.request());
      const { report, error } = await moving.move(atomic.request());
      expect(error).toBeUndefined();
      expect(report).toMatchObject({ slotsMoved: 0, keysMoved: 0 });
    });

    test('functions are known to the new owner, and one that differs is told of', async () => {
      const { moving } = atomic;
      const [source, target] = [moving.client(7001), moving.client(7002)];
      const library = (name: string, word: string) =>
        `#!lua name=${name}\nredis.register_function('${name}', function() return '${word}' end)`;
      await source.function('LOAD', library('greet', 'hello'));
      await source.function('LOAD', library('differs', 'here'));
      await target.function('LOAD', library('differs', 'there'));
      const { report } = await moving.move(atomic.request());
      expect(report?.notes).toEqual([expect.stringContaining('function library differs')]);
      expect(await target.fcall('greet', 1, '{b}key')).toBe('hello');
      // Redis itself replaces it, Valkey knows nothing of functions.
      const word = engine === 'redis-atomic' ? 'here' : 'there';
      expect(await target.fcall('differs', 1, '{b}key')).toBe(word);
    });

    test('all types, times to live and large values arrive as they were', async () => {
      const { moving } = atomic;
      const source = moving.client(7001);
      const binary = Buffer.from([0x7b, 0x62, 0x7d, 0xff, 0x00, 0x0a]);
      await source.set('{b}big', 'x'.repeat(32 * 1024 * 1024));
      await source.set('{b}ttl', 'v', 'PX', 3_600_000);
      await source.set(binary, Buffer.from([0, 255, 13]));
      await source.hset('{b}hash', { a: '1', b: '2' });
      await source.zadd(
        '{b}zset',
        ...Array.from({ length: 20_000 }, (_, n) => [n, `member:${n}`]).flat(),
      );
      await source.pfadd('{b}hll', ...Array.from({ length: 1_000 }, (_, n) => `e${n}`));
      await source.xadd('{b}stream', '1-1', 'f', 'v');
      await source.xgroup('CREATE', '{b}stream', 'g', '0');
      await source.xreadgroup('GROUP', 'g', 'c', 'STREAMS', '{b}stream', '>');
      const names = ['{b}big', '{b}hash', '{b}zset', '{b}hll'];
      const dump = (port: number) =>
        Promise.all(names.map((name) => moving.client(port).dumpBuffer(name)));
      const before = await dump(7001);
      const { error } = await moving.move(atomic.request());
      expect(error).toBeUndefined();
      const target = moving.client(7002);
      const after = await dump(7002);
      expect(after.map((bytes, index) => before[index]?.equals(bytes))).toEqual(
        names.map(() => true),
      );
      expect(await target.xpending('{b}stream', 'g')).toMatchObject({ 0: 1 });
      expect(await target.pttl('{b}ttl')).toBeGreaterThan(3_000_000);
      expect(await target.getBuffer(binary)).toEqual(Buffer.from([0, 255, 13]));
    });

    test('cancelled in the middle, everything is where it was, and can be moved again', async () => {
      const { moving, harness } = atomic;
      await moving.fill(7001, 200_000, { tags: TAGS });
      const writer = await atomic.startWriter();
      const total = await moving.keys(7001);
      const { id, result } = await moving.begin(atomic.request());
      await atomic.untilAtWork();
      await harness.controller.cancel(id);
      const { error } = ended(await result);
      const moved = await moving.slotsOf(7002);
      // The step ends when the servers have stopped, at both ends.
      expect([await atomic.tasks(7001), await atomic.tasks(7002)]).toEqual([0, 0]);
      expect([OWN_SLOTS, OWN_SLOTS + SLOT_COUNT]).toContain(moved);
      // It may have been done by then: that is no failure, and the rule is all or nothing.
      expect(error?.code).toBe(moved === OWN_SLOTS ? 'cancelled' : undefined);
      expect((await moving.keys(7001)) + (await moving.keys(7002))).toBeGreaterThanOrEqual(total);
      const again = await moving.move(atomic.request());
      expect(again.error).toBeUndefined();
      expect(await moving.slotsOf(7002)).toBe(OWN_SLOTS + SLOT_COUNT);
      expect(await writer.lost()).toEqual([]);
      await atomic.expectHealthy();
    });

    test('an agent that is killed in the middle is followed by one that tells the whole of it', async () => {
      const { moving, harness } = atomic;
      await moving.fill(7001, 200_000, { tags: TAGS });
      const writer = await atomic.startWriter();
      await moving.begin(atomic.request());
      await atomic.untilAtWork();
      await harness.killAgent('SIGKILL');
      await harness.startAgent();
      // The lost command is sent again, as a controller does that finds the slots where they were.
      const { report, error } = await moving.move(atomic.request());
      expect(error).toBeUndefined();
      expect(await moving.slotsOf(7002)).toBe(OWN_SLOTS + SLOT_COUNT);
      expect(report?.slotsMoved).toBe(SLOT_COUNT);
      expect(report?.keysMoved).toBeGreaterThanOrEqual(200_000);
      expect(await writer.lost()).toEqual([]);
      expect(await atomic.hasDefaultLimit()).toBe(true);
      await atomic.expectHealthy();
    });

    test('with nobody to ask again the next agent ends what the last one began, and who asks later is told', async () => {
      const { moving, harness } = atomic;
      await moving.fill(7001, 200_000, { tags: TAGS });
      await moving.begin(atomic.request());
      await atomic.untilAtWork();
      await harness.killAgent('SIGKILL');
      // All of it may happen while there is no agent.
      await until(
        'the slots to be there',
        async () =>
          ((await moving.client(7002).call('CLUSTER', 'COUNTKEYSINSLOT', '3300')) as number) > 0 &&
          (await atomic.tasks()) === 0,
      );
      await harness.startAgent();
      harness.controller.lastHeartbeat = undefined;
      await harness.controller.heartbeat('no mover is left', ({ movers }) => movers.length === 0);
      expect(await moving.slotsOf(7002)).toBe(OWN_SLOTS + SLOT_COUNT);
      expect(await atomic.hasDefaultLimit()).toBe(true);
      // Nor does it get lost with one more agent.
      await harness.killAgent('SIGKILL');
      await harness.startAgent();
      const { report } = await moving.move(atomic.request());
      expect(report).toMatchObject({ slotsMoved: SLOT_COUNT, keysMoved: 200_000 });
      const again = await moving.move(atomic.request());
      expect(again.report).toMatchObject({ slotsMoved: 0, keysMoved: 0 });
    });

    test('cancelled by others again and again, it fails in the end, and key by key they move', async () => {
      const { moving } = atomic;
      await moving.fill(7001, 24_000, { tags: TAGS });
      const writer = await atomic.startWriter();
      const total = await moving.keys(7001);
      const { result } = await moving.begin(atomic.request());
      const ending = new AbortController();
      const first = result.finally(() => ending.abort());
      while (!ending.signal.aborted) await atomic.cancelAll();
      const { error } = ended(await first);
      expect(error).toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining('cancelled by somebody else'),
      });
      expect(await atomic.tasks()).toBe(0);
      expect(await moving.slotsOf(7002)).toBe(OWN_SLOTS);
      const next = await moving.move(
        atomic.request({ engine: 'migrate', options: { pace: 'fast' } }),
      );
      expect(next.error).toBeUndefined();
      expect(await moving.slotsOf(7002)).toBe(OWN_SLOTS + SLOT_COUNT);
      expect((await moving.keys(7001)) + (await moving.keys(7002))).toBeGreaterThanOrEqual(total);
      expect(await writer.lost()).toEqual([]);
      await atomic.expectHealthy();
    });

    test('is refused without harm: open slots, no room at the target, a replica', async () => {
      const { moving } = atomic;
      const [source, target] = [moving.client(7001), moving.client(7002)];
      await moving.fill(7001, 50_000, { tags: TAGS });
      const ids = await Promise.all([source, target].map((client) => client.cluster('MYID')));
      await source.cluster('SETSLOT', 5000, 'MIGRATING', ids[1] ?? '');
      expect((await moving.move(atomic.request())).error).toMatchObject({
        code: 'failed-precondition',
        message: expect.stringContaining('open slots'),
      });
      await source.cluster('SETSLOT', 5000, 'STABLE');
      const [, used] = /used_memory:(\d+)/.exec(await target.info('memory')) ?? [];
      await target.config('SET', 'maxmemory', Number(used) + 1_000_000);
      expect((await moving.move(atomic.request())).error).toMatchObject({
        code: 'resource-exhausted',
        message: expect.stringContaining('maxmemory'),
      });
      await target.config('SET', 'maxmemory', 0);
      expect((await moving.move(atomic.request({ source: 7011 }))).error?.code).toBe(
        'failed-precondition',
      );
      expect(await moving.slotsOf(7002)).toBe(OWN_SLOTS);
      expect((await moving.move(atomic.request())).error).toBeUndefined();
    });
  });
}
