import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ClusterSpec, PinnedNode } from '../model/spec.ts';
import { formatSpec } from './format-spec.ts';
import { parseSpec } from './parse-spec.ts';
import { formatSpecProblem } from './spec-problem.ts';

const minimal = { name: 'shop', release: 'redis-7.0.15', shards: 3 };

function problemsOf(input: unknown): string[] {
  const parsed = parseSpec(input);
  return parsed.ok ? [] : parsed.problems.map(formatSpecProblem);
}

function specOf(input: unknown): ClusterSpec {
  const parsed = parseSpec(input);
  if (!parsed.ok) throw new Error(parsed.problems.map(formatSpecProblem).join('\n'));
  return parsed.spec;
}

describe('parseSpec', () => {
  test('fills in the defaults of a minimal spec', () => {
    expect(specOf(minimal)).toEqual({
      name: 'shop',
      release: 'redis-7.0.15',
      shards: 3,
      replicas: 1,
      placement: {
        hosts: [],
        basePort: 6379,
        zoneLabel: 'zone',
        allowSameHost: false,
        allowWeakQuorum: false,
      },
      nodes: [],
      maxmemoryBytes: undefined,
      nodeTimeoutMs: 5000,
      repair: 'manual',
      repairQuietMs: 300_000,
      config: {},
    });
  });

  test('takes empty YAML fields for left out ones', () => {
    const empty = { placement: null, nodes: null, config: null, maxmemory: null, replicas: null };
    expect(specOf({ ...minimal, ...empty })).toEqual(specOf(minimal));
  });

  test.each([
    ['1gb', 1024 ** 3],
    ['512mb', 512 * 1024 ** 2],
    ['2G', 2_000_000_000],
    ['2000k', 2_000_000],
    ['4096kb', 4 * 1024 ** 2],
    ['5m', 5_000_000],
    [1_073_741_824, 1024 ** 3],
  ])('reads maxmemory %s', (maxmemory, expected) => {
    expect(specOf({ ...minimal, maxmemory }).maxmemoryBytes).toBe(expected);
  });

  test('turns option values into text as redis.conf has them', () => {
    const config = { appendonly: true, 'lazyfree-lazy-expire': false, hz: 20, save: '' };
    expect(specOf({ ...minimal, config }).config).toEqual({
      appendonly: 'yes',
      'lazyfree-lazy-expire': 'no',
      hz: '20',
      save: '',
    });
  });
});

describe('parseSpec refuses', () => {
  test.each<[string, unknown, string]>([
    ['no document', undefined, 'is missing; expected a spec with fields such as name and shards'],
    ['a list', [], 'got an empty list; expected a spec'],
    ['a missing name', { ...minimal, name: undefined }, 'name: is missing; expected 1 to 63'],
    ['a bad name', { ...minimal, name: 'Shop 1' }, 'name: got "Shop 1"; expected 1 to 63 of a-z'],
    ['0 shards', { ...minimal, shards: 0 }, 'shards: got 0; expected a whole number from 1 to'],
    ['shards as text', { ...minimal, shards: '3' }, 'shards: got "3"; expected a whole number'],
    ['2 shards', { ...minimal, shards: 2 }, 'shards: got 2; with fewer than 3 masters no major'],
    ['1002 nodes', { ...minimal, shards: 334, replicas: 2 }, 'shards: got 334, which with 2 repli'],
    ['6 replicas', { ...minimal, replicas: 6 }, 'replicas: got 6; expected a whole number from 0'],
    ['a size in words', { ...minimal, maxmemory: 'lots' }, 'maxmemory: got "lots"; expected a si'],
    ['maxmemory 0', { ...minimal, maxmemory: 0 }, 'leave it out to set no limit'],
    ['a tiny timeout', { ...minimal, nodeTimeoutMs: 1 }, 'nodeTimeoutMs: got 1; expected a whole'],
    [
      'an unknown field',
      { ...minimal, replica: 2 },
      'replica: is not a field of a spec; meant "replicas"?',
    ],
    [
      'an unknown field without a near name',
      { ...minimal, colour: 'red' },
      'colour: is not a field of a spec; known are name, release,',
    ],
    [
      'a field in another spelling',
      { ...minimal, placement: { base_port: 7000 } },
      'placement.base_port: is not a field of a spec; meant "basePort"?',
    ],
    [
      'port 60000',
      { ...minimal, placement: { basePort: 60_000 } },
      'placement.basePort: got 60000; its bus port would be 70000, and 65535 is the highest port',
    ],
    [
      'more hosts than any cluster has',
      { ...minimal, placement: { hosts: Array.from({ length: 80_000 }, (_, at) => `h${at}`) } },
      'placement.hosts: got 80000 entries; expected at most 6000',
    ],
    [
      'more nodes than any cluster has',
      { ...minimal, nodes: Array.from({ length: 40_000 }, () => ({ host: 'h1', port: 1 })) },
      'nodes: got 40000 entries; expected at most 6000',
    ],
    [
      'a host named twice',
      { ...minimal, placement: { hosts: ['h1', 'h2', 'h1'] } },
      'placement.hosts[2]: "h1" is named twice',
    ],
    [
      'a host name that YAML read as a number',
      { ...minimal, placement: { hosts: [1] } },
      'placement.hosts[0]: got 1; expected the name of a host, as text',
    ],
  ])('%s', (_, input, expected) => {
    expect(problemsOf(input).join('\n')).toContain(expected);
  });

  test('several problems at once', () => {
    expect(problemsOf({ name: '', shards: -1, extra: 1 })).toHaveLength(4);
  });
});

describe('parseSpec refuses the option', () => {
  test.each<[string, unknown, string]>([
    ['port', 7000, 'config.port: is not for a spec: Redrover sets it from the host and port'],
    ['requirepass', 'x', 'is not for a spec: Redrover generates and keeps the passwords'],
    ['RequirePass', 'x', 'is not for a spec: Redrover generates and keeps the passwords'],
    ['cluster-node-timeout', 5000, 'use the field nodeTimeoutMs'],
    ['maxmemory', '1gb', 'use the field maxmemory'],
    ['tls-port', 6380, 'is not for a spec'],
    ['Max Clients', 1, 'config.Max Clients: "Max Clients" is no option name'],
    ['__proto__x', 1, 'is no option name'],
    ['hz', '10\nport 1', 'config.hz: "10\\nport 1" has a line end or control character'],
    ['hz', '10\rport 1', 'has a line end'],
    ['hz', '10\u0000', 'has a line end or control character'],
    ['hz', ['10'], 'config.hz: got a list; expected text'],
    ['hz', null, 'write "" for an empty value'],
    ['hz', 'x'.repeat(5000), 'is 5000 characters long'],
  ])('%s with the value %j', (option, value, expected) => {
    expect(problemsOf({ ...minimal, config: { [option]: value } }).join('\n')).toContain(expected);
  });
});

describe('parseSpec, with pinned nodes', () => {
  const six = [6379, 6380, 6381, 7379, 7380, 7381].map((port) => ({ host: 'h1', port }));
  const withNodes = (nodes: readonly object[]) => ({ ...minimal, nodes });
  const change = (index: number, fields: object) =>
    withNodes(six.map((node, at) => (at === index ? { ...node, ...fields } : node)));

  test('takes the classic plan as it is', () => {
    expect(specOf(withNodes(six)).nodes.map((node) => node.port)).toEqual([
      6379, 6380, 6381, 7379, 7380, 7381,
    ]);
  });

  test.each<[string, unknown, string]>([
    ['a duplicate port', change(1, { port: 6379 }), 'nodes[1].port: h1:6379 is the port of nodes'],
    ['a bus port that is taken', change(3, { port: 16_380 }), 'h1:16380 is the bus port of nodes'],
    ['port 60000', change(2, { port: 60_000 }), 'nodes[2].port: got 60000; its bus port would be'],
    ['too few nodes', withNodes(six.slice(1)), 'nodes: got 5; 3 shards with 1 replicas each are 6'],
    ['shard 4 of 3', change(0, { shard: 4 }), 'nodes[0].shard: got 4; expected 1 to 3'],
    ['an unknown role', change(0, { role: 'slave' }), 'got "slave"; expected master or replica'],
    ['an unknown field', change(0, { rol: 'x' }), 'nodes[0].rol: is not a field of a spec; meant'],
    [
      'two masters in a shard',
      withNodes(six.map((node, at) => (at < 2 ? { ...node, shard: 1, role: 'master' } : node))),
      'nodes[1].role: shard 1 has a master already',
    ],
    [
      'a shard of replicas only',
      withNodes(six.map((node, at) => (at < 2 ? { ...node, shard: 1, role: 'replica' } : node))),
      'nodes: shard 1 has only replicas',
    ],
    [
      'a shard with too many nodes',
      withNodes(six.map((node, at) => (at < 3 ? { ...node, shard: 1 } : node))),
      'nodes[2].shard: shard 1 has its 2 nodes already',
    ],
    [
      'too many masters',
      withNodes(six.map((node, at) => (at < 4 ? { ...node, role: 'master' } : node))),
      'nodes: 4 have the role master; 3 shards',
    ],
    [
      'too many replicas',
      withNodes(six.map((node, at) => (at < 4 ? { ...node, role: 'replica' } : node))),
      'nodes: 4 have the role replica; expected at most 3',
    ],
    [
      'a host outside placement.hosts',
      { ...withNodes(six), placement: { hosts: ['h2'] } },
      'nodes[0].host: "h1" is not among placement.hosts',
    ],
  ])('refuses %s', (_, input, expected) => {
    expect(problemsOf(input).join('\n')).toContain(expected);
  });
});

const hostName = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,8}$/);

const spec: fc.Arbitrary<ClusterSpec> = fc
  .record({
    name: fc.stringMatching(/^[a-z][a-z0-9-]{0,12}$/),
    release: fc.constantFrom('redis-7.0.15', 'redis-5.0.3', 'valkey-8.1.0'),
    shards: fc.integer({ min: 3, max: 166 }),
    replicas: fc.integer({ min: 0, max: 5 }),
    placement: fc.record({
      hosts: fc.uniqueArray(hostName, { maxLength: 4 }),
      basePort: fc.integer({ min: 1, max: 55_535 }),
      zoneLabel: fc.constantFrom('zone', 'rack', 'topology.example/zone'),
      allowSameHost: fc.boolean(),
      allowWeakQuorum: fc.boolean(),
    }),
    maxmemoryBytes: fc.option(fc.integer({ min: 1024 ** 2, max: 2 ** 40 }), { nil: undefined }),
    nodeTimeoutMs: fc.integer({ min: 500, max: 600_000 }),
    repair: fc.constantFrom('manual', 'auto'),
    repairQuietMs: fc.integer({ min: 1000, max: 86_400_000 }),
    config: fc.dictionary(
      fc.constantFrom('hz', 'save', 'maxmemory-policy', 'notify-keyspace-events'),
      fc.string().filter((text) => /^[^\p{Cc}\u2028\u2029]*$/u.test(text)),
      { noNullPrototype: true },
    ),
    pinned: fc.boolean(),
  })
  .map(({ pinned, ...fields }) => ({
    ...fields,
    nodes: pinned && fields.shards < 20 ? pinAll(fields) : [],
  }));

function pinAll(fields: Omit<ClusterSpec, 'nodes'>): PinnedNode[] {
  const members = Array.from({ length: 1 + fields.replicas }, (_, index) => index);
  return members.flatMap((member) =>
    Array.from({ length: fields.shards }, (_, shard) => ({
      host: fields.placement.hosts[member % Math.max(1, fields.placement.hosts.length)] ?? 'h',
      port: 7000 + member * 100 + shard,
      shard: shard % 2 === 0 ? shard + 1 : undefined,
      role: member === 0 ? ('master' as const) : undefined,
    })),
  );
}

describe('formatSpec', () => {
  test('is read back as the same spec', () => {
    fc.assert(
      fc.property(spec, (wanted) => {
        expect(specOf(structuredClone(formatSpec(wanted)))).toEqual(wanted);
      }),
    );
  });

  test('shows sizes in the largest exact unit and leaves out what is not set', () => {
    expect(formatSpec(specOf({ ...minimal, maxmemory: '2048mb' }))).toEqual({
      ...minimal,
      replicas: 1,
      maxmemory: '2gb',
      nodeTimeoutMs: 5000,
      repair: 'manual',
      repairQuietMs: 300_000,
      placement: { basePort: 6379, zoneLabel: 'zone' },
    });
  });
});

describe('parseSpec is total', () => {
  test('answers any document with a spec or with problems', () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (top, inner) => {
        for (const input of [top, { ...minimal, config: inner, nodes: inner, placement: inner }]) {
          const parsed = parseSpec(input);
          expect(parsed.ok || parsed.problems.length > 0).toBe(true);
        }
      }),
    );
  });
});
