import { describe, expect, it } from 'vitest';
import type { Host } from '../model/host.ts';
import type { NodeKey } from '../model/layout.ts';
import { clusterViewOf } from '../topology/cluster-view.ts';
import type { PlanInput } from '../planning/situation.ts';
import {
  layoutOf,
  NOW,
  runningCluster,
  withAllViews,
  withHost,
  withNode,
  withProcess,
  withRedis,
  withViewEntry,
} from '../planning/testing/examples.ts';
import { checkCluster, examineCluster } from './examine-cluster.ts';
import { summarizeCluster } from './summarize-cluster.ts';

// s1: h1:6379 (master), h2:6379; s2: h2:6380 (master), h3:6379; s3: h3:6380 (master), h1:6380.
const layout = layoutOf({ hosts: 3, shards: 3, replicas: 1 });
const healthy = runningCluster(layout);

function examine(input: PlanInput, hosts: readonly Host[] = [], now = NOW) {
  return examineCluster({ layout: input.layout, observation: input.observation, hosts, now });
}

function rulesOf(input: PlanInput, hosts: readonly Host[] = []): string[] {
  return examine(input, hosts).map((finding) => `${finding.rule} ${finding.subject}`);
}

function idOf(input: PlanInput, key: NodeKey): string {
  return input.observation.nodes[key]?.redis?.nodeId ?? '';
}

/** The replica has taken over, and everybody knows it. */
function failedOver(input: PlanInput, master: NodeKey, replica: NodeKey): PlanInput {
  const self = input.observation.nodes[master]?.redis?.view.nodes.find(
    (entry) => entry.nodeId === idOf(input, master),
  );
  const changed = withAllViews(
    withAllViews(input, master, {
      flags: ['slave'],
      masterId: idOf(input, replica),
      slots: [],
    }),
    replica,
    { flags: ['master'], masterId: '', slots: self?.slots ?? [], configEpoch: 10 },
  );
  const promoted = withRedis(changed, replica, { role: 'master', masterLinkUp: undefined });
  return withRedis(promoted, master, { role: 'replica', masterLinkUp: true });
}

function flagsOf(input: PlanInput, key: NodeKey): readonly string[] {
  const view = input.observation.nodes[key]?.redis?.view;
  return view?.nodes.find((entry) => entry.nodeId === idOf(input, key))?.flags ?? [];
}

function hostWith(name: string, zone: string): Host {
  return {
    name,
    address: `10.0.0.${name.slice(1)}`,
    labels: { zone },
    status: 'online',
    facts: undefined,
    usedPorts: [],
    reservedBytes: 0,
  };
}

describe('an examination', () => {
  it('finds nothing in a healthy cluster, and says what it looked at', () => {
    const { findings, passed } = checkCluster({ ...healthy, hosts: [], now: NOW });
    expect(findings).toEqual([]);
    expect(passed).toContain('16384 of 16384 slots covered');
    expect(passed).toHaveLength(15);
  });

  it('puts the most severe first', () => {
    const drifted = failedOver(healthy, 'h1:6379', 'h2:6379');
    const input = withRedis(drifted, 'h3:6380', { persistenceOk: false });
    expect(examine(input).map((finding) => finding.severity)).toEqual(
      examine(input)
        .map((finding) => finding.severity)
        .toSorted(bySeverity),
    );
  });

  it('passes nothing when nobody can be asked', () => {
    const silent = layout.nodes.reduce(
      (input, node) => withProcess(input, node.key, { state: 'stopped' }),
      healthy,
    );
    expect(checkCluster({ ...silent, hosts: [], now: NOW }).passed).toEqual([]);
    expect(new Set(examine(silent).map((finding) => finding.rule))).toEqual(new Set(['node-down']));
  });
});

function bySeverity(a: string, b: string): number {
  const order = ['critical', 'warning', 'info'];
  return order.indexOf(a) - order.indexOf(b);
}

describe('hosts and processes', () => {
  it('names a silent host and what it carries', () => {
    const input = withHost(healthy, 'h2', { status: 'lost', lastSeenMs: NOW - 42_000 });
    const finding = examine(input).find(({ rule }) => rule === 'host-lost');
    expect(finding).toMatchObject({ severity: 'critical', subject: 'h2' });
    expect(finding?.message).toContain('42 s');
    expect(finding?.evidence).toEqual(['node h2:6379', 'node h2:6380']);
  });

  it('names a host whose clock is ahead, once for all its nodes', () => {
    const ahead = ['h1:6379', 'h1:6380'].reduce(
      (input, key) => withNode(input, key, (node) => ({ ...node, observedAtMs: NOW + 3_600_000 })),
      healthy,
    );
    expect(rulesOf(ahead)).toEqual(['clock-ahead h1']);
    const early = withNode(healthy, 'h1:6379', (node) => ({ ...node, observedAtMs: NOW + 9_000 }));
    expect(rulesOf(early)).toEqual([]);
  });

  it('tells stale knowledge from fresh', () => {
    const stale = withNode(healthy, 'h1:6379', (node) => ({ ...node, observedAtMs: NOW - 11_000 }));
    expect(rulesOf(stale)).toEqual(['node-stale h1:6379']);
  });

  it.each([
    ['absent', 'node-absent'],
    ['stopped', 'node-down'],
    ['backoff', 'node-down'],
    ['unresponsive', 'node-unresponsive'],
    ['crash-loop', 'node-crash-loop'],
    ['held', 'node-held'],
  ] as const)('names a node that is %s', (state, rule) => {
    const input = withProcess(healthy, 'h2:6379', { state, reason: 'for a reason' });
    const finding = examine(input).find((each) => each.rule === rule);
    expect(finding?.message).toContain('for a reason');
    // Its shard is without its replica, and losing its master's host would lose slots.
    expect(rulesOf(input)).toEqual(
      expect.arrayContaining(['too-few-replicas s1', 'host-loss-loses-slots h1']),
    );
  });

  it('names a directory that is another cluster’s, or nobody’s', () => {
    const marker = { cluster: 'till', clusterId: 'c-2', layoutNumber: 1 };
    expect(rulesOf(withProcess(healthy, 'h1:6379', { marker }))).toEqual([
      'node-of-another-cluster h1:6379',
    ]);
    expect(rulesOf(withProcess(healthy, 'h1:6379', { marker: undefined }))).toEqual([
      'node-of-another-cluster h1:6379',
    ]);
  });
});

describe('views', () => {
  it('that differ are told by who differs, and about what', () => {
    const about = { holder: 'h3:6379', about: 'h1:6379' };
    const input = withViewEntry(healthy, about, { slots: [{ start: 0, end: 5000 }] });
    const finding = examine(input).find(({ rule }) => rule === 'view-differs');
    expect(finding).toMatchObject({ subject: 'h3:6379', severity: 'critical' });
    expect(finding?.evidence).toEqual(['h1:6379: does not own 5001-5460, elsewhere so']);
  });

  it('that differ about roles, epochs and flags are told as well', () => {
    const about = { holder: 'h3:6379', about: 'h2:6379' };
    const input = withViewEntry(healthy, about, {
      masterId: '',
      flags: ['master', 'fail?'],
    });
    const finding = examine(input).find(({ rule }) => rule === 'view-differs');
    expect(finding?.evidence).toEqual([
      'h2:6379: flags fail?,master, elsewhere slave',
      'h2:6379: master none, elsewhere h1:6379',
    ]);
    expect(rulesOf(input)).toContain('node-possibly-failed h2:6379');
  });

  it('that differ only in the holder’s own no-failover setting agree', () => {
    const about = { holder: 'h2:6379', about: 'h2:6379' };
    expect(rulesOf(withViewEntry(healthy, about, { flags: ['slave', 'nofailover'] }))).toEqual([]);
  });

  it('show nodes that have failed', () => {
    const input = withAllViews(healthy, 'h1:6379', { flags: ['master', 'fail'] });
    const finding = examine(input).find(({ rule }) => rule === 'node-failed');
    expect(finding).toMatchObject({ subject: 'h1:6379', severity: 'critical' });
  });

  it.each(['handshake', 'noaddr'])('show entries left in %s', (flag) => {
    const stray = { ...strayEntry(), flags: ['master', flag] };
    expect(rulesOf(withEverywhere(healthy, stray))).toEqual([`node-${flag} 10.9.9.9:6379`]);
  });

  it('show nodes that the layout does not have', () => {
    const findings = examine(withEverywhere(healthy, strayEntry()));
    expect(findings).toMatchObject([{ rule: 'unknown-node', subject: '10.9.9.9:6379' }]);
  });

  it('show the former life of a node that lost its nodes.conf', () => {
    const former = { ...strayEntry(), address: '10.0.0.1', flags: ['master', 'fail'] };
    expect(rulesOf(withEverywhere(healthy, former))).toContain('unknown-node 10.0.0.1:6379');
  });

  it('know a silent node of the layout by its address', () => {
    const silent = withProcess(healthy, 'h2:6379', { state: 'stopped' });
    expect(rulesOf(silent).filter((rule) => rule.startsWith('unknown-node'))).toEqual([]);
  });

  it('show nodes that others do not know', () => {
    const input = withoutEntry(healthy, { holder: 'h1:6379', about: 'h3:6380' });
    expect(rulesOf(input)).toEqual(
      expect.arrayContaining(['node-not-met h3:6380', 'view-differs h1:6379']),
    );
  });
});

function strayEntry() {
  return {
    nodeId: 'f'.repeat(40),
    address: '10.9.9.9',
    port: 6379,
    busPort: 16379,
    flags: ['master'],
    masterId: '',
    configEpoch: 0,
    connected: true,
    slots: [],
    migrating: [],
    importing: [],
  };
}

function withEverywhere(input: PlanInput, entry: ReturnType<typeof strayEntry>): PlanInput {
  return layout.nodes.reduce((current, { key }) => {
    const nodes = current.observation.nodes[key]?.redis?.view.nodes ?? [];
    return withRedis(current, key, { view: clusterViewOf([...nodes, entry]) });
  }, input);
}

function withoutEntry(
  input: PlanInput,
  { holder, about }: { readonly holder: NodeKey; readonly about: NodeKey },
): PlanInput {
  const nodes = input.observation.nodes[holder]?.redis?.view.nodes ?? [];
  const rest = nodes.filter((entry) => entry.nodeId !== idOf(input, about));
  return withRedis(input, holder, { view: clusterViewOf(rest) });
}

describe('slots', () => {
  it('without an owner are named', () => {
    const input = withAllViews(healthy, 'h1:6379', { slots: [{ start: 1, end: 5460 }] });
    expect(rulesOf(input)).toEqual(['slots-not-covered shop']);
    expect(examine(input)[0]?.evidence).toEqual([
      '0 in the view of h1:6379, h2:6379, h2:6380, h3:6379, h3:6380, h1:6380',
      '0 are of s1: h1:6379, runs without these slots',
      '0 are of s1: h2:6379, runs as a replica',
    ]);
  });

  it('that two nodes claim are named', () => {
    const about = { holder: 'h2:6380', about: 'h2:6380' };
    const input = withViewEntry(healthy, about, { slots: [{ start: 5460, end: 10_922 }] });
    expect(rulesOf(input)).toEqual(
      expect.arrayContaining([
        'slots-owned-twice h1:6379',
        'slots-not-as-layout h2:6380',
        'view-differs h2:6380',
      ]),
    );
  });

  it.each(['h1:6379', 'h2:6379'])('that are open are named, on a replica too: %s', (key) => {
    const open = [{ slot: 7, nodeId: idOf(healthy, 'h3:6380') }];
    const input = withViewEntry(healthy, { holder: key, about: key }, { importing: open });
    expect(rulesOf(input)).toEqual([`open-slots ${key}`]);
    expect(examine(input)[0]?.evidence).toEqual(['slot 7 importing from h3:6380']);
  });

  it('of masters with equal epochs are at risk', () => {
    const input = withAllViews(healthy, 'h1:6379', { configEpoch: 2 });
    expect(rulesOf(input)).toEqual(['equal-config-epochs h1:6379']);
  });

  it('are not served by a node that says cluster_state fail', () => {
    const input = withRedis(healthy, 'h3:6380', { clusterState: 'fail' });
    expect(rulesOf(input)).toEqual(['cluster-state-fail h3:6380']);
  });

  it('are without a master when no member serves them', () => {
    const input = withProcess(withProcess(healthy, 'h1:6379', { state: 'stopped' }), 'h2:6379', {
      state: 'stopped',
    });
    expect(rulesOf(input)).toContain('shard-without-master s1');
  });
});

describe('a shard that nobody serves', () => {
  const lossOf = (input: PlanInput) =>
    examine(input).find(({ rule }) => rule === 'shard-without-master');
  const gone = { status: 'lost', lastSeenMs: NOW - 9_000 } as const;
  const failed = (input: PlanInput, key: NodeKey) =>
    withAllViews(input, key, { flags: [...flagsOf(input, key), 'fail'] });

  it('is told with its slots, its last master, and how to get that back', () => {
    const promoted = failed(failedOver(healthy, 'h1:6379', 'h2:6379'), 'h1:6379');
    const input = withHost(
      withProcess(failed(promoted, 'h2:6379'), 'h1:6379', { state: 'stopped' }),
      'h2',
      gone,
    );
    expect(lossOf(input)).toEqual({
      rule: 'shard-without-master',
      severity: 'critical',
      subject: 's1',
      message: 'Slots 0-5460 of shard s1 (5461) are served by nobody.',
      evidence: [
        'h1:6379, not their last master: stopped; failed in the view of h3:6379, h3:6380, h1:6380',
        'h2:6379, their last master: host h2 is lost, not heard of for 9 s; ' +
          'failed in the view of h3:6379, h3:6380, h1:6380',
      ],
      remedy:
        'Bring h2:6379 back first, it has every write. Start host h2, or its agent, which starts ' +
        'the node: redrover host show h2. h1:6379 alone would not do: it lacks what was ' +
        'written since.',
    });
  });

  it('is waited for while a replica can take over', () => {
    const input = failed(withHost(healthy, 'h1', gone), 'h1:6379');
    expect(lossOf(input)?.remedy).toContain('h2:6379 takes over if it followed');
  });

  it('is lost for want of a majority, which is told', () => {
    const two = failed(failed(healthy, 'h1:6379'), 'h2:6380');
    const input = withHost(withProcess(two, 'h1:6379', { state: 'crash-loop' }), 'h1', gone);
    expect(lossOf(input)?.remedy).toContain(
      'h2:6379 cannot take over, as only 1 of 3 masters can vote and 2 are needed',
    );
  });

  it('is not called lost while its peers see its master alive', () => {
    const finding = lossOf(withHost(healthy, 'h1', gone));
    expect(finding?.severity).toBe('warning');
    expect(finding?.message).toContain('belong to h1:6379 by the word of others');
  });
});

describe('replication', () => {
  it('without a link is critical', () => {
    expect(rulesOf(withRedis(healthy, 'h2:6379', { masterLinkUp: false }))).toEqual([
      'replica-link-down h2:6379',
    ]);
  });

  it('under way is told', () => {
    const change = { syncInProgress: true, masterLinkUp: false };
    expect(rulesOf(withRedis(healthy, 'h2:6379', change))).toEqual(['replica-syncing h2:6379']);
  });

  it.each([
    ['bytes', { replicationOffset: 0 }, { replicationOffset: 65 * 1024 * 1024 }],
    ['time', { masterLastIoSeconds: 16 }, {}],
  ])('that lags in %s is told', (_what, replica, master) => {
    const input = withRedis(withRedis(healthy, 'h2:6379', replica), 'h1:6379', master);
    expect(rulesOf(input)).toEqual(['replica-lagging h2:6379']);
  });

  it('of the wrong shard is told', () => {
    const input = withAllViews(healthy, 'h2:6379', { masterId: idOf(healthy, 'h3:6380') });
    expect(rulesOf(input)).toEqual(
      expect.arrayContaining(['replica-of-another-shard h2:6379', 'too-few-replicas s1']),
    );
  });

  it('that never began leaves a master without slots', () => {
    const input = withAllViews(healthy, 'h2:6379', { flags: ['master'], masterId: '' });
    expect(rulesOf(withRedis(input, 'h2:6379', { role: 'master' }))).toEqual(
      expect.arrayContaining(['master-without-slots h2:6379', 'too-few-replicas s1']),
    );
  });
});

describe('placement by actual roles', () => {
  it('finds drift harmless while every host may still be lost', () => {
    // Masters on h2 (s1), h3 (s2) and h1 (s3): moved, and as well spread as before.
    const turned = [
      ['h1:6379', 'h2:6379'],
      ['h2:6380', 'h3:6379'],
      ['h3:6380', 'h1:6380'],
    ].reduce((input, [from = '', to = '']) => failedOver(input, from, to), healthy);
    const findings = examine(turned).filter(({ rule }) => rule !== 'equal-config-epochs');
    expect(findings).toMatchObject([{ rule: 'role-drift', severity: 'info' }]);
  });

  it('warns when masters have gathered on one host', () => {
    const findings = examine(failedOver(healthy, 'h1:6379', 'h2:6379'));
    expect(findings.map((finding) => `${finding.rule} ${finding.subject}`)).toEqual([
      'host-loss-loses-quorum h2',
      'role-drift shop',
    ]);
    expect(findings[0]?.severity).toBe('warning');
  });

  it('counts masters that are dead already as votes that are missing', () => {
    const six = runningCluster(layoutOf({ hosts: 3, shards: 6, replicas: 1 }));
    expect(rulesOf(six)).toEqual([]);
    const dead = six.layout.nodes
      .filter(({ shard }) => shard === 's1')
      .reduce((input, { key }) => withProcess(input, key, { state: 'stopped' }), six);
    // 5 of 6 masters live; without a host that has 2 of them, 3 are left, and 4 are needed.
    const risks = examine(dead).filter(({ rule }) => rule === 'host-loss-loses-quorum');
    expect(risks.length).toBeGreaterThan(0);
    for (const { evidence } of risks) {
      expect(evidence).toContain('masters left without it: 3');
      expect(evidence).toContain('masters needed for a majority: 4 of 6');
    }
  });

  it('only tells what the layout itself accepted', () => {
    const weak = layoutOf({ hosts: 1, shards: 3, replicas: 1 });
    const trial = runningCluster({ ...weak, allowSameHost: true, allowWeakQuorum: true });
    expect(new Set(examine(trial).map((finding) => finding.severity))).toEqual(new Set(['info']));
    expect(rulesOf(trial)).toContain('same-host s1');
  });

  it('finds two members of a shard on one host', () => {
    const weak = runningCluster(layoutOf({ hosts: 1, shards: 3, replicas: 1 }));
    expect(examine(weak)[0]).toMatchObject({ rule: 'same-host', severity: 'critical' });
  });

  it('judges zones where all hosts have one', () => {
    const zones = [hostWith('h1', 'a'), hostWith('h2', 'a'), hostWith('h3', 'b')];
    expect(rulesOf(healthy, zones)).toContain('same-zone s1');
    expect(rulesOf(healthy, zones.slice(0, 2).concat(hostWith('h3', '')))).toEqual([]);
  });
});

describe('settings', () => {
  it.each([
    ['timing-not-as-layout h1:6379', { nodeTimeoutMs: 500 }],
    ['timing-not-as-layout h1:6379', { replicaNoFailover: true }],
    ['persistence-failing h1:6379', { persistenceOk: false }],
    ['aof-disabled h1:6379', { aofEnabled: false }],
    ['nofile-low h1:6379', { nofileSoft: 1024 }],
    ['memory-near-limit h1:6379', { usedMemoryBytes: 91, maxmemoryBytes: 100 }],
    ['version-not-as-layout shop', { version: '7.0.14' }],
    ['node-loading h1:6379', { loading: true }],
  ])('%s', (expected, change) => {
    expect(rulesOf(withRedis(healthy, 'h1:6379', change))).toEqual([expected]);
  });
});

describe('a summary', () => {
  const summarize = (input: PlanInput) => summarizeCluster(layout, input.observation);

  it('has a row for each node', () => {
    const { nodes, shards, health } = summarize(healthy);
    expect(health).toBe('ok');
    expect(nodes[0]).toMatchObject({
      id: idOf(healthy, 'h1:6379'),
      host: 'h1',
      address: '10.0.0.1',
      port: 6379,
      role: 'master',
      shard: 's1',
      slots: [{ start: 0, end: 5460 }],
    });
    expect(nodes[1]).toMatchObject({ role: 'replica', master: 'h1:6379', slots: [], lagBytes: 0 });
    expect(shards[0]).toMatchObject({ master: 'h1:6379', replicas: ['h2:6379'] });
  });

  it('is degraded without a replica, down without a master, unknown without anybody', () => {
    const stopped = (...keys: string[]) =>
      keys.reduce((input, key) => withProcess(input, key, { state: 'stopped' }), healthy);
    expect(summarize(stopped('h2:6379')).health).toBe('degraded');
    expect(summarize(stopped('h1:6379')).health).toBe('down');
    expect(summarize(stopped(...layout.nodes.map((node) => node.key))).health).toBe('unknown');
  });

  it('is degraded, not down, where only an agent is silent and the others see its nodes serve', () => {
    expect(summarize(withHost(healthy, 'h1', { status: 'lost' })).health).toBe('degraded');
  });

  it('keeps the row of a node on a silent host, with an unknown state', () => {
    const { nodes } = summarize(withHost(healthy, 'h1', { status: 'lost' }));
    expect(nodes[0]).toMatchObject({ state: 'unknown', port: 6379, slots: [] });
  });
});
