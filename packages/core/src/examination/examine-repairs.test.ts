/** What an examination says of hosts and nodes that come, go and move, and which command helps. */
import { describe, expect, it } from 'vitest';
import type { Host, HostStatus } from '../model/host.ts';
import type { Layout, LayoutNode, NodeKey } from '../model/layout.ts';
import type { NodeObservation, Observation, ProcessObservation } from '../model/observation.ts';
import { effectiveRoles, type EffectiveRole } from '../placement/effective-roles.ts';
import { exampleHost } from '../placement/testing/examples.ts';
import { settledCluster } from '../placement/testing/settled-cluster.ts';
import { layoutOf } from '../planning/testing/examples.ts';
import { clusterViewOf } from '../topology/cluster-view.ts';
import { checkCluster, examineCluster } from './examine-cluster.ts';
import type { ExaminationInput } from './picture.ts';
import { summarizeCluster } from './summarize-cluster.ts';

// s1: h1:6379 (master), h2:6379; s2: h2:6380 (master), h3:6379; s3: h3:6380 (master), h1:6380.
const layout = layoutOf({ hosts: 3, shards: 3, replicas: 1 });
const drained: Layout = { ...layout, drainedHosts: ['h1'] };

function input(of: Layout, fields: Partial<ExaminationInput> = {}): ExaminationInput {
  const observation = settledCluster(of);
  const now = Math.max(...Object.values(observation.nodes).map((node) => node.observedAtMs));
  return { layout: of, observation, hosts: hostsOf(of), now, ...fields };
}

function hostsOf(of: Layout, statuses: Readonly<Record<string, HostStatus>> = {}): Host[] {
  return [...new Map(of.nodes.map((node) => [node.host, node.address]))].map(([name, address]) =>
    exampleHost(name, { address, status: statuses[name] ?? 'online' }),
  );
}

function named(examined: ExaminationInput): string[] {
  return examineCluster(examined).map(({ rule, subject }) => `${rule} ${subject}`);
}

function findingOf(examined: ExaminationInput, rule: string) {
  const found = examineCluster(examined).find((finding) => finding.rule === rule);
  if (found === undefined) throw new Error(`no ${rule} in ${named(examined).join(', ')}`);
  return found;
}

function withNode(
  observation: Observation,
  key: NodeKey,
  change: (node: NodeObservation) => NodeObservation,
): Observation {
  const node = observation.nodes[key];
  if (node === undefined) throw new Error(`no node ${key}`);
  return { ...observation, nodes: { ...observation.nodes, [key]: change(node) } };
}

function withProcess(
  examined: ExaminationInput,
  key: NodeKey,
  change: Partial<ProcessObservation>,
) {
  const observation = withNode(examined.observation, key, (node) => ({
    ...node,
    process: { ...node.process, ...change },
    redis: change.state === undefined || change.state === 'running' ? node.redis : undefined,
  }));
  return { ...examined, observation };
}

describe('a drained host', () => {
  it('is the one thing that is told, beside the risk that it means', () => {
    expect(named(input(drained))).toEqual([
      'host-drained h1',
      'host-loss-loses-slots h2',
      'host-loss-loses-quorum h2',
      'host-loss-loses-slots h3',
    ]);
    expect(examineCluster(input(drained)).every(({ severity }) => severity === 'info')).toBe(true);
    expect(findingOf(input(drained), 'host-drained').remedy).toContain('redrover host undrain h1');
    expect(summarizeCluster(drained, input(drained).observation).health).toBe('degraded');
  });

  it('may be away, and its nodes may be taken for failed by the others', () => {
    const lastSeenMs = 0;
    const away = {
      name: 'h1',
      status: 'lost',
      lastSeenMs,
      facts: undefined,
      builds: [],
      movers: [],
    } as const;
    const { observation } = input(drained);
    const stopped = { ...entryAt(layout.nodes[0]!), flags: ['slave', 'fail'], slots: [] };
    const seen = withEntry(observation, stopped);
    const examined = input(drained, {
      observation: { ...seen, hosts: { ...seen.hosts, h1: away } },
      hosts: hostsOf(drained, { h1: 'lost' }),
    });
    expect(named(examined)).toEqual(named(input(drained)));
    expect(findingOf(examined, 'host-drained').evidence[0]).toBe('its agent is lost');
  });

  it('whose nodes run still is a drain that was cut short', () => {
    const roles = new Map<NodeKey, EffectiveRole>(effectiveRoles(drained)).set(
      'h1:6380',
      'replica',
    );
    const finding = findingOf(
      input(drained, { observation: settledCluster(drained, roles) }),
      'drained-node-running',
    );
    expect(finding).toMatchObject({ subject: 'h1:6380', severity: 'warning' });
    expect(finding.remedy).toContain('redrover cluster repair shop');
  });

  it('leaves roles to be judged by what stands in for the preferred ones', () => {
    const others = new Map<NodeKey, EffectiveRole>(effectiveRoles(drained));
    others.set('h2:6380', 'replica').set('h3:6379', 'master');
    const examined = input(drained, { observation: settledCluster(drained, others) });
    expect(findingOf(examined, 'role-drift').evidence).toEqual([
      'h2:6380: replica, preferred master',
      'h3:6379: master, preferred replica',
    ]);
    const home = new Map(layout.nodes.map(({ key, preferredRole }) => [key, preferredRole]));
    const before = input(drained, { observation: settledCluster(layout, home) });
    expect(findingOf(before, 'role-drift').evidence).toEqual(['h2:6379: replica, now master']);
  });
});

describe('a host', () => {
  it('with another address than its nodes is readdressed', () => {
    const hosts = hostsOf(layout).map((host) =>
      host.name === 'h2' ? { ...host, address: '10.0.0.99' } : host,
    );
    expect(findingOf(input(layout, { hosts }), 'host-readdressed')).toMatchObject({
      severity: 'critical',
      subject: 'h2',
      evidence: ['node h2:6379 is laid out at 10.0.0.2', 'node h2:6380 is laid out at 10.0.0.2'],
      remedy: 'Give them the new address: redrover host readdress h2',
    });
  });

  it('that is lost may be replaced; one that is suspect is waited for', () => {
    const remedyOf = (status: HostStatus) => {
      const examined = input(layout);
      const h2 = { ...examined.observation.hosts['h2']!, status };
      const hosts = { ...examined.observation.hosts, h2 };
      const observation = { ...examined.observation, hosts };
      return findingOf({ ...examined, observation }, `host-${status}`).remedy;
    };
    expect(remedyOf('lost')).toContain('redrover host replace h2 --with');
    expect(remedyOf('suspect')).not.toContain('replace');
  });

  it('is one of most that are silent: then it is the controller that is cut off', () => {
    const finding = findingOf(
      input(layout, { hosts: hostsOf(layout, { h1: 'lost', h3: 'suspect' }) }),
      'controller-cut-off',
    );
    expect(finding.severity).toBe('critical');
    expect(finding.message).toContain('2 of 3 hosts are silent at once');
    expect(finding.message).toContain('Repairs are frozen');
    expect(finding.evidence).toEqual(['h1 is lost', 'h3 is suspect']);
    const one = input(layout, { hosts: hostsOf(layout, { h1: 'lost' }) });
    expect(named(one)).not.toContain('controller-cut-off shop');
  });
});

describe('a node of an earlier layout', () => {
  const replaced: Layout = {
    ...layout,
    number: 2,
    nodes: layout.nodes.map((node) =>
      node.host === 'h1'
        ? { ...node, host: 'h4', key: `h4:${node.port}`, address: '10.0.0.4' }
        : node,
    ),
  };
  const former = layout.nodes.filter(({ host }) => host === 'h1');
  /** The nodes of the new host are made, the old ones not yet handed off. */
  const under = (roles: ReadonlyMap<NodeKey, EffectiveRole>): ExaminationInput => {
    const both = { ...layout, nodes: [...layout.nodes, ...replaced.nodes.slice(0, 1)] };
    const observation = settledCluster(both, roles);
    return { ...input(replaced), observation, former };
  };
  const halfway = under(
    new Map<NodeKey, EffectiveRole>([
      ...layout.nodes.map(({ key, preferredRole }) => [key, preferredRole] as const),
      ['h4:6379', 'replica'],
    ]),
  );

  it('is told while it runs, and owns its slots until it is handed off', () => {
    const rules = named(halfway);
    expect(rules).toContain('former-node h1:6379');
    expect(rules).not.toContain('shard-without-master s1');
    expect(rules.filter((rule) => rule.startsWith('unknown-node'))).toEqual([]);
    const { remedy, severity } = findingOf(halfway, 'former-node');
    expect(severity).toBe('warning');
    expect(remedy).toContain('redrover cluster repair shop');
    const { observation } = halfway;
    expect(summarizeCluster(replaced, observation, former).health).toBe('degraded');
  });

  it.each([
    ['paused', 'redrover op resume op-7'],
    ['running', 'Operation op-7'],
  ] as const)('is left to the operation that removes it while that one is %s', (state, advice) => {
    const { remedy } = findingOf({ ...halfway, underWay: { id: 'op-7', state } }, 'former-node');
    expect(remedy).toContain(advice);
    expect(remedy).not.toContain('repair');
  });

  it('is told while its directory is there, and not once it is gone', () => {
    const severityIn = (state: ProcessObservation['state']) =>
      examineCluster(withProcess(halfway, 'h1:6379', { state })).find(
        ({ rule, subject }) => rule === 'former-node' && subject === 'h1:6379',
      )?.severity;
    expect(severityIn('stopped')).toBe('info');
    expect(severityIn('crash-loop')).toBe('warning');
    expect(severityIn('absent')).toBeUndefined();
  });

  it('is not one if its directory is another cluster’s', () => {
    const marker = { cluster: 'till', clusterId: 'c-2', layoutNumber: 1 };
    expect(named(withProcess(halfway, 'h1:6379', { marker }))).not.toContain('former-node h1:6379');
  });

  it('or of an earlier life is forgotten by a repair, a stranger never', () => {
    const remedyFor = (address: string, slots: readonly [number, number][]) => {
      const entry = {
        ...entryAt({ ...layout.nodes[0]!, address }),
        nodeId: 'f'.repeat(40),
        flags: ['master', 'fail'],
        slots: slots.map(([start, end]) => ({ start, end })),
      };
      const examined = input(layout);
      const observation = withEntry(examined.observation, entry);
      return findingOf({ ...examined, observation }, 'unknown-node').remedy;
    };
    expect(remedyFor('10.0.0.1', [])).toContain('redrover cluster repair shop');
    expect(remedyFor('10.0.0.1', [[0, 5]])).toContain('that data must come back first');
    expect(remedyFor('10.9.9.9', [])).toContain('never stops or forgets it');
  });
});

describe('a node that is down', () => {
  it.each([
    ['absent', 'redrover cluster repair shop'],
    ['stopped', 'redrover cluster repair shop'],
    ['crash-loop', 'redrover cluster repair shop'],
    ['unresponsive', 'redrover cluster repair shop'],
    ['held', 'redrover-agent release-node 6379 on h2'],
    ['backoff', 'its agent goes on trying'],
  ] as const)('is %s, and that is repaired by: %s', (state, command) => {
    const examined = withProcess(input(layout), 'h2:6379', { state });
    const finding = examineCluster(examined).find(({ subject }) => subject === 'h2:6379');
    expect(finding?.remedy).toContain(command);
  });

  it('and held for want of its nodes.conf is made anew', () => {
    const change = { state: 'held', identityLost: true } as const;
    const finding = findingOf(withProcess(input(layout), 'h2:6379', change), 'node-held');
    expect(finding.remedy).toContain('redrover cluster repair shop');
  });

  it('may be all that has the slots, which then are without an owner', () => {
    const { observation } = input(layout);
    const gone = observation.nodes['h1:6379']?.redis?.nodeId;
    const nodes = Object.fromEntries(
      Object.entries(observation.nodes).map(([key, node]) => {
        if (node.redis === undefined) return [key, node];
        const rest = node.redis.view.nodes.filter(({ nodeId }) => nodeId !== gone);
        return [key, { ...node, redis: { ...node.redis, view: clusterViewOf(rest) } }];
      }),
    );
    const examined = input(layout, { observation: { ...observation, nodes } });
    const held = withProcess(examined, 'h1:6379', { state: 'held', reason: 'appendonly is no' });
    const finding = findingOf(held, 'slots-not-covered');
    expect(finding.message).toContain('5461 of 16384 slots have no owner');
    expect(finding.evidence).toContain('0-5460 are of s1: h1:6379, held: appendonly is no');
    expect(finding.remedy).toContain('redrover-agent release-node 6379 on h1');
  });
});

it('passes all of its checks where all is well', () => {
  expect(checkCluster(input(layout))).toMatchObject({ findings: [] });
});

function entryAt(node: LayoutNode) {
  const view = settledCluster(layout).nodes[node.key]?.redis?.view;
  const entry = view?.nodes.find(
    ({ port, address }) => port === node.port && address === '10.0.0.1',
  );
  if (entry === undefined) throw new Error(`no entry of ${node.key}`);
  return { ...entry, address: node.address };
}

/** In the view of everybody. */
function withEntry(observation: Observation, entry: ReturnType<typeof entryAt>): Observation {
  return Object.keys(observation.nodes).reduce(
    (current, key) =>
      withNode(current, key, (node) => {
        if (node.redis === undefined) return node;
        const view = clusterViewOf([...node.redis.view.nodes, entry]);
        return { ...node, redis: { ...node.redis, view } };
      }),
    observation,
  );
}
