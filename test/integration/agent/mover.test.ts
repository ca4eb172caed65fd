/** Slots moved key by key: what arrives, what clients meet meanwhile, and what the agent says of it. */
import { Cluster } from 'ioredis';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { askWitness } from '../../support/witness.ts';
import { AgentHarness, PASSWORD } from './agent-harness.ts';
import { createCluster } from './cluster.ts';
import { MovingCluster, type MoveRequest } from './moving-cluster.ts';

const MASTERS = [7001, 7002, 7003];
const REPLICAS = { 7004: 7001, 7005: 7002, 7006: 7003 };
const PORTS = [...MASTERS, ...Object.keys(REPLICAS).map(Number)];
const SLOTS = [{ start: 0, end: 99 }];
/** Their slots are among those: 67, 92, 98, 40 and 0. */
const TAGS = ['7g', '8f', 'bl', 'cv', '1bz'];

let harness: AgentHarness;
let cluster: MovingCluster;

beforeAll(async () => {
  harness = await AgentHarness.start();
  await createCluster(harness, { masters: MASTERS, replicas: REPLICAS });
  cluster = new MovingCluster(harness, PORTS);
});
afterAll(async () => {
  cluster?.close();
  await harness?.stop();
});

/** One cluster for all: each test finds it as the first did. */
afterEach(async () => {
  await cluster.client(7001).flushall();
  await cluster.client(7002).flushall();
  const { error } = await cluster.move(back());
  if (error !== undefined) throw new Error(error.message);
});

type Change = Partial<MoveRequest>;

function there(change: Change = {}): MoveRequest {
  return { engine: 'migrate', source: 7001, target: 7002, slots: SLOTS, ...change };
}

function back(change: Change = {}): MoveRequest {
  return there({ source: 7002, target: 7001, options: { pace: 'fast' }, ...change });
}

async function expectHealthy(): Promise<void> {
  await cluster.untilAgreed();
  const verdict = await askWitness({ address: harness.address, port: 7003, password: PASSWORD });
  expect(verdict, verdict.text).toMatchObject({ ok: true, slotsCovered: 16_384 });
}

test('moves slots with their keys, and everybody sees it', async () => {
  await cluster.fill(7001, 5_000, { tags: TAGS });
  const { report, error } = await cluster.move(there());
  expect(error).toBeUndefined();
  expect(report).toMatchObject({ slotsMoved: 100, keysMoved: 5_000, quarantined: [], notes: [] });
  expect(await cluster.keys(7001)).toBe(0);
  expect(await cluster.keys(7002)).toBe(5_000);
  await expectHealthy();
  expect(await cluster.move(there())).toMatchObject({
    error: undefined,
    report: { slotsMoved: 0 },
  });
  expect(await cluster.move(back())).toMatchObject({ error: undefined });
  expect(await cluster.keys(7001)).toBe(5_000);
});

test('brings every type of value, times to live and binary names', async () => {
  const client = cluster.client(7001);
  const name = (text: string) => Buffer.from(`{7g}${text}`);
  const binary = Buffer.concat([name(''), Buffer.from([0, 0xff, 0x0d, 0x0a, 0x24, 0x2a, 0x80])]);
  await client.set(binary, Buffer.from([0, 1, 2, 0xff, 0x0d, 0x0a]));
  await client.set(name(''), '');
  await client.set(name('large'), Buffer.alloc(3_000_000, 'x'));
  await client.set(name('fleeting'), 'soon gone', 'PX', 600_000);
  await client.rpush(name('list'), ...Array.from({ length: 2_000 }, (_, index) => `e${index}`));
  await client.sadd(name('set'), ...Array.from({ length: 2_000 }, (_, index) => `m${index}`));
  await client.hset(name('hash'), Object.fromEntries(numbers(2_000).map((n) => [`f${n}`, `${n}`])));
  await client.zadd(name('zset'), ...numbers(50_000).flatMap((n) => [n, `member ${n}`]));
  await client.pfadd(name('hll'), ...numbers(5_000).map(String));
  await client.setbit(name('bits'), 100_000, 1);
  await client.geoadd(name('geo'), 13.4, 52.5, 'Berlin');
  for (const n of numbers(200)) await client.xadd(name('stream'), '*', 'n', `${n}`);
  await client.xgroup('CREATE', name('stream'), 'group', '0');
  await client.xreadgroup('GROUP', 'group', 'me', 'COUNT', 50, 'STREAMS', name('stream'), '>');
  await client.call('FUNCTION', 'LOAD', LIBRARY);
  const before = await describeAll(7001);
  expect(before.size).toBe(12);

  expect(await cluster.move(there())).toMatchObject({ error: undefined });
  const after = await describeAll(7002);
  expect([...after.keys()].toSorted()).toEqual([...before.keys()].toSorted());
  for (const [key, value] of before) expect(after.get(key), key).toEqual(value);
  const ttl = await cluster.client(7002).pttl(name('fleeting'));
  expect(ttl).toBeGreaterThan(400_000);
  expect(ttl).toBeLessThanOrEqual(600_000);
  expect(await cluster.client(7002).pfcount(name('hll'))).toBeGreaterThan(4_500);
  expect(await cluster.client(7002).call('FCALL', 'answer', 0)).toBe(42);
});

test('a slot with a key that is too large is left alone, the others are moved', async () => {
  await cluster.fill(7001, 100, { tags: TAGS });
  await cluster.client(7001).set('{8f}large', Buffer.alloc(300_000, 'x'));
  const { report, error } = await cluster.move(there({ options: { maxKeyBytes: 100_000 } }));
  expect(error).toBeUndefined();
  expect(report).toMatchObject({ slotsMoved: 99, keysMoved: 80 });
  expect(report?.quarantined).toMatchObject([{ slot: 92, rule: 'key-too-large' }]);
  expect(report?.quarantined[0]?.message).toContain('{8f}large');
  expect(await cluster.keys(7001)).toBe(21);
  await expectHealthy();
  expect(await cluster.move(there())).toMatchObject({
    error: undefined,
    report: { slotsMoved: 1 },
  });
});

test('a client of several keys with one tag meets only what cluster clients handle', async () => {
  const unheard: string[] = [];
  const client = new Cluster([{ host: harness.address, port: 7001 }], {
    redisOptions: { password: PASSWORD },
    retryDelayOnTryAgain: 5,
    maxRedirections: 500,
  });
  client.on('error', () => {});
  await cluster.fill(7001, 5_000, { tags: TAGS });
  const ending = new AbortController();
  let written = 0;
  const write = async (tag: string): Promise<void> => {
    for (let round = 0; !ending.signal.aborted; round += 1) {
      try {
        await client.mset(...[1, 2, 3].flatMap((n) => [`{${tag}}pair${n}`, `${round}`]));
        const values = await client.mget(...[1, 2, 3].map((n) => `{${tag}}pair${n}`));
        if (values.some((value) => value !== `${round}`)) unheard.push(`read ${values.join(' ')}`);
        written += 1;
      } catch (thrown) {
        unheard.push(String(thrown));
      }
    }
  };
  const writers = TAGS.map(write);
  try {
    for (const request of [there(), back(), there({ options: { pace: 'fast' } }), back()]) {
      expect(await cluster.move(request)).toMatchObject({ error: undefined });
    }
  } finally {
    ending.abort();
    await Promise.all(writers);
    client.disconnect();
  }
  expect(unheard).toEqual([]);
  expect(written).toBeGreaterThan(50);
});

test('a key that differs on both ends is left to a person, with both described', async () => {
  const [source, target] = [cluster.client(7001), cluster.client(7002)];
  await source.set('{cv}k', 'of the source');
  await source.set('{cv}other', 'x');
  await openSlot(40);
  await target.pipeline([['asking'], ['set', '{cv}k', 'of the target']]).exec();
  const { report, error } = await cluster.move(there());
  expect(error).toBeUndefined();
  expect(report?.quarantined).toMatchObject([{ slot: 40, rule: 'key-differs' }]);
  expect(report?.quarantined[0]?.evidence.join('\n')).toMatch(
    /h1:7001: string.*\n.*h1:7002: string/,
  );
  expect(await source.get('{cv}k')).toBe('of the source');
  // A person has decided: the target's is dropped, and the same move goes on.
  await target.pipeline([['asking'], ['del', '{cv}k']]).exec();
  expect(await cluster.move(there())).toMatchObject({
    error: undefined,
    report: { slotsMoved: 1 },
  });
  expect(await target.get('{cv}k')).toBe('of the source');
});

test('equal keys on both ends are no reason to stop', async () => {
  const [source, target] = [cluster.client(7001), cluster.client(7002)];
  const members = numbers(3_000).map((n) => `member ${n}`);
  await source.set('{cv}k', 'same');
  await source.sadd('{cv}set', ...members);
  await openSlot(40);
  await target.pipeline([['asking'], ['set', '{cv}k', 'same']]).exec();
  // In another order: servers seed their tables by themselves.
  await target.pipeline([['asking'], ['sadd', '{cv}set', ...members.toReversed()]]).exec();
  expect(await cluster.move(there())).toMatchObject({
    error: undefined,
    report: { slotsMoved: 100, quarantined: [] },
  });
  expect(await target.scard('{cv}set')).toBe(3_000);
  expect(await source.dbsize()).toBe(0);
});

const LIBRARY = `#!lua name=redrover\nredis.register_function('answer', function() return 42 end)`;

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** As a mover does that dies right after. */
async function openSlot(slot: number): Promise<void> {
  const [sourceId, targetId] = [String(await myId(7001)), String(await myId(7002))];
  await cluster.client(7002).call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', sourceId);
  await cluster.client(7001).call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', targetId);
}

function myId(port: number): Promise<unknown> {
  return cluster.client(port).call('CLUSTER', 'MYID');
}

/** Each key, in hexadecimal, with its type and content as the node tells it. */
async function describeAll(port: number): Promise<Map<string, unknown>> {
  const client = cluster.client(port);
  const names = await client.keysBuffer('*');
  const reading = names.map(async (name) => {
    const type = await client.type(name);
    return [name.toString('hex'), [type, await contentOf(client, name, type)]] as const;
  });
  return new Map(await Promise.all(reading));
}

async function contentOf(client: ReturnType<typeof cluster.client>, name: Buffer, type: string) {
  switch (type) {
    case 'string':
      return (await client.getBuffer(name))?.toString('hex');
    case 'list':
      return client.lrange(name, 0, -1);
    case 'set':
      return (await client.smembers(name)).toSorted();
    case 'hash':
      return Object.entries(await client.hgetall(name)).toSorted();
    case 'zset':
      return client.zrange(name, '0', '-1', 'WITHSCORES');
    case 'stream': {
      const pending = await client.xpending(name, 'group', '-', '+', '100');
      // Its last field is how long ago it was delivered, the one before it how often.
      const delivered = (pending as unknown[][]).map(([id, consumer]) => [id, consumer]);
      return [await client.xrange(name, '-', '+'), delivered];
    }
    default:
      throw new Error(`no type was written like ${type}`);
  }
}
