/** What an agent finds in slots: counts are exact, sizes are the server's own, and its time is kept. */
import { SLOT_COUNT, type SlotRange, type SlotSurvey } from '@redrover/core';
import { commandErrorFromProto, slotSurveyFromProto } from '@redrover/wire';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { engineCases } from '../../support/engines.ts';
import { AgentHarness, PASSWORD } from './agent-harness.ts';
import { createCluster } from './cluster.ts';

const PORTS = { masters: [7001], replicas: { 7002: 7001 } };
const ALL_SLOTS = [{ start: 0, end: SLOT_COUNT - 1 }];
/** Of `{b}`. */
const SLOT = 3300;
const KEYS = 20_000;
const CROWD = 3_000;

for (const { title, isMissing, release } of engineCases()) {
  describe.skipIf(isMissing)(`on ${title}`, () => {
    let harness: AgentHarness;
    let client: Redis;

    beforeAll(async () => {
      harness = await AgentHarness.start({ release: release() });
      await createCluster(harness, PORTS);
      client = connect(7001);
      const fill = client.pipeline();
      for (let index = 0; index < KEYS; index += 1) fill.set(`key:${index}`, 'v'.repeat(100));
      await fill.exec();
    });
    afterAll(async () => {
      client?.disconnect();
      await harness?.stop();
    });

    const connect = (port: number): Redis => {
      const { address: host } = harness;
      return new Redis({ host, port, password: PASSWORD, protocol: 2, retryStrategy: null });
    };

    async function survey(slots: readonly SlotRange[], budgetMs = 60_000, port = 7001) {
      const value = { node: harness.key(port), slots: [...slots], budgetMs };
      const { result } = await harness.controller.send({ case: 'surveySlots', value });
      const { error, result: answer } = await result;
      if (error !== undefined) throw commandErrorFromProto(error);
      if (answer.case !== 'survey') throw new Error(`answered with ${answer.case}`);
      return slotSurveyFromProto(answer.value);
    }

    const keysOf = ({ slots }: SlotSurvey): number =>
      slots.reduce((sum, { keys }) => sum + keys, 0);
    const bytesOf = ({ slots }: SlotSurvey): number =>
      slots.reduce((sum, { bytes }) => sum + bytes, 0);

    test('counts every key of every slot, and measures them all when there is time', async () => {
      const found = await survey(ALL_SLOTS);
      expect(found.complete).toBe(true);
      expect(found.slots).toHaveLength(SLOT_COUNT);
      expect(keysOf(found)).toBe(KEYS);
      expect(found.keysSampled).toBe(KEYS);
      const each = Number(await client.memory('USAGE', 'key:1'));
      expect(bytesOf(found) / KEYS).toBeGreaterThan(each * 0.9);
      expect(bytesOf(found) / KEYS).toBeLessThan(each * 1.1);
    });

    test('finds the same where scripts are refused', async () => {
      const byScript = await survey(ALL_SLOTS);
      await client.call('ACL', ['SETUSER', 'default', '-eval']);
      try {
        await client.config('RESETSTAT');
        expect(await survey(ALL_SLOTS)).toEqual(byScript);
        expect(await client.info('commandstats')).toMatch(/memory\|usage:calls=2\d{4}/);
      } finally {
        await client.call('ACL', ['SETUSER', 'default', '+eval']);
      }
    });

    test('measures keys of many slots in one round trip', async () => {
      await client.config('RESETSTAT');
      expect(await survey(ALL_SLOTS)).toMatchObject({ complete: true });
      const [, scripts] = /cmdstat_eval:calls=(\d+)/.exec(await client.info('commandstats')) ?? [];
      expect(Number(scripts)).toBeGreaterThan(0);
      expect(Number(scripts)).toBeLessThan(KEYS / 20);
    });

    test('counts one slot alone, as the server does', async () => {
      const slot = await client.cluster('KEYSLOT', 'key:1');
      const [only] = (await survey([{ start: slot, end: slot }])).slots;
      expect(only?.keys).toBe(await client.cluster('COUNTKEYSINSLOT', slot));
      expect(only?.keys).toBeGreaterThan(0);
    });

    test('names the libraries of functions, which do not go with slots', async () => {
      expect((await survey([{ start: 0, end: 0 }])).functionLibraries).toEqual([]);
      const code = "#!lua name=carts\nredis.register_function('total', function() return 1 end)";
      await client.call('FUNCTION', ['LOAD', code]);
      expect((await survey([{ start: 0, end: 0 }])).functionLibraries).toEqual(['carts']);
    });

    test('finds the largest key, whatever bytes its name is made of', async () => {
      const name = Buffer.from([0x7b, 0x62, 0x7d, 0xff, 0x00, 0x0a]);
      await client.call('HSET', [name, ...hashFields(2_000)]);
      const { largestKey, slots } = await survey(ALL_SLOTS);
      expect(largestKey).toEqual({
        slot: SLOT,
        name: String.raw`"{b}\xff\x00\n"`,
        type: 'hash',
        bytes: await client.memory('USAGE', name),
      });
      expect(slots[SLOT]?.bytes).toBeGreaterThanOrEqual(largestKey?.bytes ?? Infinity);
      await client.del(name);
    });

    test('finds it also in a slot with more keys than are listed at once', async () => {
      const fill = client.pipeline();
      for (let index = 0; index < CROWD; index += 1) fill.set(`{b}${index}`, 'v');
      await fill.exec();
      await client.set('{b}zzz', 'x'.repeat(1_000_000));
      const found = await survey([{ start: SLOT, end: SLOT }]);
      expect(found).toMatchObject({ complete: true, largestKey: { name: '{b}zzz' } });
      expect(found.slots[0]?.keys).toBe(await client.cluster('COUNTKEYSINSLOT', SLOT));
      expect(found.slots[0]?.bytes).toBeGreaterThan(1_000_000);
    });

    test('keeps its budget, and says that it has not seen everything', async () => {
      const fill = client.pipeline();
      for (let index = 0; index < 400_000; index += 1) fill.set(`more:${index}`, 'v');
      await fill.exec();
      const startedAt = performance.now();
      const found = await survey(ALL_SLOTS, 100);
      // Counting comes first and is not cut; on a busy machine it takes some time as well.
      expect(performance.now() - startedAt).toBeLessThan(2_000);
      expect(found.complete).toBe(false);
      expect(keysOf(found)).toBe(await client.dbsize());
      expect(bytesOf(found)).toBeGreaterThan(0);
    });

    test('holds up clients no longer than a moment', async () => {
      await client.config('RESETSTAT');
      await client.config('SET', 'slowlog-log-slower-than', 1_000);
      await client.call('SLOWLOG', ['RESET']);
      const running = survey(ALL_SLOTS, 10_000);
      const waits: number[] = [];
      const ending = new AbortController();
      void running.finally(() => ending.abort()).catch(() => {});
      while (!ending.signal.aborted) {
        const startedAt = performance.now();
        await client.ping();
        waits.push(performance.now() - startedAt);
      }
      waits.sort((a, b) => a - b);
      expect(waits.length).toBeGreaterThan(50);
      expect(waits[Math.floor(waits.length * 0.9)]).toBeLessThan(25);
      const slow = (await client.call('SLOWLOG', ['GET', '100'])) as [number, number, number][];
      // Longer than a millisecond by the server's clock, which runs on while others have its processor.
      const { keysSampled } = await running;
      expect(slow.length).toBeLessThan(Math.max(20, keysSampled / 1_000));
    });

    test('is refused by a replica, and with a budget or slots that are none', async () => {
      await expect(survey(ALL_SLOTS, 1_000, 7002)).rejects.toMatchObject({
        code: 'failed-precondition',
      });
      await expect(survey(ALL_SLOTS, 99)).rejects.toMatchObject({ code: 'invalid-argument' });
      await expect(survey([{ start: 5, end: 3 }])).rejects.toMatchObject({
        code: 'invalid-argument',
      });
    });
  });
}

function hashFields(count: number): string[] {
  return Array.from({ length: count }, (_, index) => [`field:${index}`, 'v'.repeat(100)]).flat();
}

for (const { title, isMissing, release } of engineCases(['redis-atomic'])) {
  test.skipIf(isMissing)(`${title}: bytes are the server's own where it counts them`, async () => {
    const harness = await AgentHarness.start({ release: release() });
    const { address: host } = harness;
    const config = { 'cluster-slot-stats-enabled': 'yes' };
    await createCluster(harness, { masters: [7001], replicas: {}, config });
    const client = new Redis({ host, port: 7001, password: PASSWORD, protocol: 2 });
    try {
      // Of very different sizes, so that no sample tells their sum.
      for (let n = 0; n < 2_000; n += 1)
        await client.set(`{b}${n}`, 'v'.repeat(n % 100 === 0 ? 50_000 : 10));
      const slots = [{ start: SLOT, end: SLOT }];
      const value = { node: harness.key(7001), slots, budgetMs: 1_000 };
      const { result } = await harness.controller.send({ case: 'surveySlots', value });
      const answer = (await result).result;
      const [stats] = (await client.call(
        'CLUSTER',
        'SLOT-STATS',
        'SLOTSRANGE',
        `${SLOT}`,
        `${SLOT}`,
      )) as [[number, (string | number)[]]];
      const fields = stats[1];
      const bytes = fields[fields.indexOf('memory-bytes') + 1];
      expect(bytes).toBeGreaterThan(1_000_000);
      expect(answer).toMatchObject({
        case: 'survey',
        value: { slots: [{ slot: SLOT, keys: 2_000n, bytes: BigInt(Number(bytes)) }] },
      });
    } finally {
      client.disconnect();
      await harness.stop();
    }
  });
}
