import { describe, expect, it } from 'vitest';
import type { Host } from '../model/host.ts';
import type { HostChange } from '../model/host-change.ts';
import type { Layout } from '../model/layout.ts';
import type { Observation } from '../model/observation.ts';
import type { ClusterSpec } from '../model/spec.ts';
import { absentNode } from '../planning/fresh-node.ts';
import type { PlanInput } from '../planning/situation.ts';
import {
  layoutOf,
  NOW,
  runningCluster,
  withHost,
  withProcess,
  withRedis,
} from '../planning/testing/examples.ts';
import { specAfterHostChange } from './host-change/spec-after-host-change.ts';
import { isAcceptable, lintLayout } from './lint-layout.ts';
import { planHostChange } from './plan-host-change.ts';
import { exampleHost, exampleSpec, hostFacts } from './testing/examples.ts';

const GIBIBYTE = 1024 ** 3;

// s1: h1:6379 (master), h2:6379; s2: h2:6380 (master), h3:6379; s3: h3:6380 (master), h1:6380.
const three = runningCluster(layoutOf({ hosts: 3, shards: 3, replicas: 1 }));
// s1 on h1, h2; s2 on h2, h3; s3 on h3, h4; s4 on h4, h5; s5 on h5, h1: masters first.
const five = runningCluster(layoutOf({ hosts: 5, shards: 5, replicas: 1 }));
// Three members each, on three of four hosts.
const wide = runningCluster(layoutOf({ hosts: 4, shards: 4, replicas: 2 }));

/** Hosts as the controller knows them, with the statuses that were seen. */
function hostsOf(input: PlanInput, more: readonly string[] = []): Host[] {
  const names = [...new Set(input.layout.nodes.map((node) => node.host)), ...more];
  return names.map((name) =>
    exampleHost(name, {
      address: `10.0.0.${name.slice(1)}`,
      status: input.observation.hosts[name]?.status ?? 'online',
    }),
  );
}

function plan(
  input: PlanInput,
  change: HostChange,
  fields: { readonly hosts?: readonly Host[]; readonly spec?: ClusterSpec } = {},
) {
  const { layout, observation } = input;
  const spec = fields.spec ?? exampleSpec();
  const hosts = fields.hosts ?? hostsOf(input);
  return planHostChange({ change, spec, layout, hosts, observation, number: 2 });
}

function layoutAfter(...args: Parameters<typeof plan>): Layout {
  const answer = plan(...args);
  if (!answer.ok) throw new Error(JSON.stringify(answer.refusals));
  return answer.layout;
}

function refusalOf(...args: Parameters<typeof plan>) {
  const answer = plan(...args);
  if (answer.ok) throw new Error('it was not refused');
  return {
    rules: answer.refusals.map(({ rule, subject }) => `${rule} ${subject}`),
    text: answer.refusals.map(({ message, remedy }) => `${message} ${remedy}`).join('\n'),
    alternatives: answer.alternatives,
  };
}

function lose(input: PlanInput, host: string): PlanInput {
  return withHost(input, host, { status: 'lost' });
}

/** What Redis makes of a lost host: its masters' replicas have taken over. */
function loseAfterFailover(input: PlanInput, host: string): PlanInput {
  const masters = input.layout.nodes.filter(
    (node) => node.host === host && node.preferredRole === 'master',
  );
  return masters.reduce(
    (current, master) => {
      const heir = input.layout.nodes.find(
        (node) => node.shard === master.shard && node.host !== host,
      );
      return heir === undefined ? current : promote(current, heir.key);
    },
    lose(input, host),
  );
}

function promote(input: PlanInput, heir: string): PlanInput {
  const slots = input.layout.shards.find(
    ({ id }) => id === input.layout.nodes.find(({ key }) => key === heir)?.shard,
  )?.slots;
  const change = { role: 'master', masterLinkUp: undefined } as const;
  const promoted = withRedis(input, heir, change);
  const nodes = Object.fromEntries(
    Object.entries(promoted.observation.nodes).map(([key, node]) => {
      if (node.redis === undefined) return [key, node];
      const { view } = node.redis;
      const heirId = promoted.observation.nodes[heir]?.redis?.nodeId ?? '';
      const entries = view.nodes.map((entry) =>
        entry.nodeId === heirId ? { ...entry, masterId: '', slots: slots ?? [] } : entry,
      );
      return [key, { ...node, redis: { ...node.redis, view: { ...view, nodes: entries } } }];
    }),
  );
  return { ...promoted, observation: { ...promoted.observation, nodes } };
}

describe('draining a host', () => {
  const drain: HostChange = { kind: 'drain', host: 'h1' };

  it('stops its nodes where they are, and tells what is at risk meanwhile', () => {
    const answer = plan(three, drain);
    expect(answer).toMatchObject({
      ok: true,
      layout: { ...three.layout, number: 2, drainedHosts: ['h1'] },
    });
    expect(answer.ok && answer.findings).toMatchObject([
      { rule: 'memory-not-checked' },
      { rule: 'drained-quorum', severity: 'warning', subject: 'h2' },
    ]);
  });

  it('is undone by undraining', () => {
    const drained = { ...three, layout: layoutAfter(three, drain) };
    const undrained = layoutAfter(drained, { kind: 'undrain', host: 'h1' });
    expect(undrained).toEqual({ ...three.layout, number: 2 });
  });

  it('names the known hosts when the name is wrong', () => {
    const { text } = refusalOf(three, { kind: 'drain', host: 'h9' });
    expect(text).toContain("Unknown host 'h9'; known hosts: h1, h2, h3.");
  });

  it('has nothing to do on a host without nodes, or that is drained already', () => {
    const hosts = hostsOf(three, ['h4']);
    const { rules } = refusalOf(three, { kind: 'drain', host: 'h4' }, { hosts });
    expect(rules).toEqual(['host-without-nodes h4']);
    const drained = { ...three, layout: layoutAfter(three, drain) };
    expect(refusalOf(drained, drain).rules).toEqual(['host-already-drained h1']);
    expect(refusalOf(three, { kind: 'undrain', host: 'h1' }).rules).toEqual([
      'host-not-drained h1',
    ]);
  });

  it('is refused where a shard would have no member left', () => {
    const alone = runningCluster(layoutOf({ hosts: 3, shards: 3, replicas: 0 }));
    const refusal = refusalOf(alone, drain, { hosts: hostsOf(alone, ['h4']) });
    expect(refusal.rules).toEqual(['drained-shard s1']);
    expect(refusal.alternatives).toEqual(['redrover host drain h1 --move']);
    const drained = { ...five, layout: layoutAfter(five, drain) };
    expect(refusalOf(drained, { kind: 'drain', host: 'h2' }).rules).toContain('drained-shard s1');
  });

  it.each([
    ['link', { masterLinkUp: false }],
    ['copy', { syncInProgress: true }],
    ['data', { loading: true }],
  ])('is refused while the replica elsewhere has no %s', (_what, change) => {
    const { rules, text } = refusalOf(withRedis(three, 'h2:6379', change), drain);
    expect(rules).toEqual(['drain-without-replica-in-sync s1']);
    expect(text).toContain('No replica of s1 elsewhere is in sync with its master h1:6379.');
  });

  it('is refused while the replica elsewhere is down, with what became of it', () => {
    const answer = plan(withProcess(three, 'h2:6379', { state: 'crash-loop' }), drain);
    expect(!answer.ok && answer.refusals[0]?.evidence).toEqual(['h2:6379: crash-loop']);
  });

  it('is refused while the only other member is on a host that is lost', () => {
    const { rules } = refusalOf(loseAfterFailover(five, 'h2'), drain);
    // s1 is on h1 and h2 alone; masters elsewhere are a majority still.
    expect(rules).toEqual(['drain-without-replica-in-sync s1']);
  });

  it('is refused where one more loss would end the service while another host is away', () => {
    // Four hosts, four masters: of the two that are left, each may hold one.
    const { rules, text } = refusalOf(loseAfterFailover(wide, 'h2'), drain);
    expect(rules).toContain('drain-gathers-masters h3');
    expect(text).toContain('With h2 away and h1 drained, host h3 would hold 2 of 4 masters');
    const drained = { ...wide, layout: layoutAfter(wide, { kind: 'drain', host: 'h2' }) };
    expect(refusalOf(drained, drain).rules).toContain('drain-gathers-masters h3');
  });

  it('goes on beside another drained host where that is safe', () => {
    const drained = { ...five, layout: layoutAfter(five, drain) };
    expect(layoutAfter(drained, { kind: 'drain', host: 'h3' }).drainedHosts).toEqual(['h1', 'h3']);
  });

  it('is refused without a majority of masters to vote', () => {
    const { rules } = refusalOf(lose(lose(lose(five, 'h3'), 'h4'), 'h5'), drain);
    expect(rules).toContain('drain-without-majority shop');
  });

  it('is refused for a host that is not online', () => {
    const lost = loseAfterFailover(five, 'h1');
    const refusal = refusalOf(lost, drain, { hosts: hostsOf(lost, ['h6']) });
    expect(refusal.rules).toEqual(['host-online h1']);
    expect(refusal.alternatives[0]).toBe('redrover host replace h1 --with h6');
  });
});

describe('moving the nodes of a host', () => {
  const move: HostChange = { kind: 'drainMove', host: 'h1' };

  it('keeps shard, preferred role and, where it is free, the port', () => {
    const after = layoutAfter(three, move, { hosts: hostsOf(three, ['h4']) });
    const moved = { host: 'h4', address: '10.0.0.4' };
    expect(after.nodes).toEqual(
      three.layout.nodes.map((node) =>
        node.host === 'h1' ? { ...node, ...moved, key: `h4:${node.port}` } : node,
      ),
    );
  });

  it('takes another port where that one is used, be it by a node of an earlier layout', () => {
    const usedBy = (port: number) => [
      ...hostsOf(three),
      exampleHost('h4', { address: '10.0.0.4', usedPorts: [port] }),
    ];
    const portsOf = (layout: Layout) =>
      layout.nodes.filter(({ host }) => host === 'h4').map(({ port }) => port);
    expect(portsOf(layoutAfter(three, move, { hosts: usedBy(6379) }))).toEqual([6381, 6380]);
    expect(portsOf(layoutAfter(three, move, { hosts: usedBy(16380) }))).toEqual([6379, 6381]);

    const node = { ...three.layout.nodes[0]!, key: 'h4:6380', host: 'h4', port: 6380 };
    const left = absentNode(node, NOW);
    const seen = { ...left, process: { ...left.process, state: 'stopped' as const } };
    const nodes = { ...three.observation.nodes, 'h4:6380': seen };
    const former = { ...three, observation: { ...three.observation, nodes } as Observation };
    const hosts = hostsOf(three, ['h4']);
    expect(portsOf(layoutAfter(former, move, { hosts }))).toEqual([6379, 6381]);
  });

  it('spreads the nodes over all hosts that are fit', () => {
    const hosts = hostsOf(five, ['h6', 'h7']);
    const after = layoutAfter(five, move, { hosts });
    const targets = new Set(after.nodes.map(({ host }) => host).filter((host) => host > 'h5'));
    expect([...targets].sort()).toEqual(['h6', 'h7']);
  });

  it('goes only to online, undrained hosts of the spec that have told their facts', () => {
    const others = [
      exampleHost('h4', { status: 'lost' }),
      exampleHost('h5', { facts: undefined }),
      exampleHost('h6'),
    ];
    const spec = exampleSpec({}, { hosts: ['h1', 'h2', 'h3', 'h4', 'h5', 'h7'] });
    const hosts = [...hostsOf(three, ['h7']), ...others];
    const after = layoutAfter(three, move, { hosts, spec });
    expect(new Set(after.nodes.map(({ host }) => host))).toEqual(new Set(['h2', 'h3', 'h7']));
    const drained = { ...five, layout: { ...five.layout, drainedHosts: ['h3'] } };
    const without = layoutAfter(drained, move, { hosts: hostsOf(five, ['h6']) });
    expect(without.nodes.filter(({ host }) => host === 'h3')).toEqual(
      five.layout.nodes.filter(({ host }) => host === 'h3'),
    );
  });

  it('says of every other host why it cannot take a node', () => {
    const away = { status: 'lost' as const };
    const [first, ...rest] = hostsOf(three);
    const hosts = [first!, ...rest.map((host) => ({ ...host, ...away }))];
    const answer = plan(three, move, {
      hosts: [...hosts, exampleHost('h4', { facts: undefined })],
    });
    expect(!answer.ok && answer.refusals[0]).toMatchObject({
      rule: 'no-other-host',
      evidence: ['h2 is lost', 'h3 is lost', 'h4 has not told its platform yet'],
    });
  });

  it('is refused where the hosts that are left cannot keep the majority', () => {
    const { rules, alternatives } = refusalOf(three, move);
    expect(rules.every((rule) => rule.startsWith('quorum-per-host'))).toBe(true);
    expect(alternatives).toEqual([
      'redrover host drain h1 (nodes stay, stopped)',
      '1 more host like h2',
    ]);
  });

  it('ends the maintenance of the host', () => {
    const drained = { ...three, layout: { ...three.layout, drainedHosts: ['h1'] } };
    const stopped = promote(drained, 'h2:6379');
    const after = layoutAfter(stopped, move, { hosts: hostsOf(three, ['h4']) });
    expect(after.drainedHosts).toEqual([]);
  });

  it('is refused when memory is short, with the room there is', () => {
    const maxmemoryBytes = 2 * GIBIBYTE;
    const limited = { ...three, layout: { ...three.layout, maxmemoryBytes } };
    const small = exampleHost('h4', { facts: hostFacts(3 * GIBIBYTE) });
    const hosts = [...hostsOf(three), small];
    const answer = plan(limited, { kind: 'replace', host: 'h1', with: 'h4' }, { hosts });
    expect(answer.ok).toBe(false);
    expect(!answer.ok && answer.refusals.map(({ message }) => message)).toContain(
      'Host h4 has memory for 0 nodes more, not for 2.',
    );
  });
});

describe('replacing a host', () => {
  const replace: HostChange = { kind: 'replace', host: 'h1', with: 'h4' };
  const lost = loseAfterFailover(three, 'h1');
  const hosts = hostsOf(lost, ['h4']);

  it('gives its nodes to the other one', () => {
    const after = layoutAfter(lost, replace, { hosts });
    expect(after.nodes.map((node) => node.key)).toEqual([
      'h4:6379',
      'h2:6379',
      'h2:6380',
      'h3:6379',
      'h3:6380',
      'h4:6380',
    ]);
  });

  it('is refused for a host that is online, until its nodes are gone', () => {
    const online = hostsOf(three, ['h4']);
    const { rules, alternatives, text } = refusalOf(three, replace, { hosts: online });
    expect(rules).toEqual(['host-not-lost h1']);
    expect(text).toContain('redrover host drain h1 --move');
    expect(alternatives).toEqual(['redrover host drain h1 --move']);
    const gone = ['h1:6379', 'h1:6380'].reduce(
      (input, key) => withProcess(input, key, { state: 'absent' }),
      promote(three, 'h2:6379'),
    );
    expect(plan(gone, replace, { hosts: online }).ok).toBe(true);
  });

  it('waits for a host that is suspect', () => {
    const suspect = withHost(lost, 'h1', { status: 'suspect' });
    const { rules, text } = refusalOf(suspect, replace, { hosts: hostsOf(suspect, ['h4']) });
    expect(rules).toEqual(['host-not-lost h1']);
    expect(text).toContain('Wait until it is online again, or lost');
  });

  it.each<[string, HostChange, string]>([
    ['an unknown host', { kind: 'replace', host: 'h1', with: 'h9' }, 'host-known h9'],
    ['itself', { kind: 'replace', host: 'h1', with: 'h1' }, 'replace-with-itself h1'],
    ['a host that has a member of the shard', { ...replace, with: 'h2' }, 'same-host s1'],
  ])('with %s is refused, and says what would do', (_what, change, expected) => {
    const { rules, alternatives } = refusalOf(lost, change, { hosts });
    expect(rules).toContain(expected);
    expect(alternatives).toEqual(['redrover host replace h1 --with h4']);
  });

  it('with a host that is away or drained is refused', () => {
    const away = [...hostsOf(lost), exampleHost('h4', { status: 'lost' })];
    expect(refusalOf(lost, replace, { hosts: away }).text).toContain('Host h4 is lost.');
    const drained = { ...lost, layout: { ...lost.layout, drainedHosts: ['h2'] } };
    const onto = refusalOf(drained, { ...replace, with: 'h2' }, { hosts });
    expect(onto.text).toContain('Host h2 is drained.');
  });

  it('is refused while nothing of a shard is left to copy', () => {
    const { rules, text } = refusalOf(lose(three, 'h1'), replace, { hosts });
    expect(rules).toEqual(['no-data-to-copy s1']);
    expect(text).toContain('what it holds may be the only copy');
  });

  it('works for a host that was removed, and while another one is still gone', () => {
    const without = hosts.filter(({ name }) => name !== 'h1');
    expect(plan(lost, replace, { hosts: without }).ok).toBe(true);
    const two = loseAfterFailover(loseAfterFailover(five, 'h1'), 'h3');
    const left = hostsOf(two, ['h6']).filter(({ name }) => !['h1', 'h3'].includes(name));
    const answer = plan(two, { kind: 'replace', host: 'h1', with: 'h6' }, { hosts: left });
    const findings = answer.ok ? answer.findings : [];
    expect(findings).toContainEqual(expect.objectContaining({ rule: 'host-known', subject: 'h3' }));
    expect(findings.every(({ severity }) => severity !== 'critical')).toBe(true);
  });

  it('rearranges the fewest roles where the new host would hold too many masters', () => {
    // h4 has one master of five already, and gets two more; two are the limit.
    const twice = { ...five.layout.nodes[2]!, host: 'h1', key: 'h1:6385', port: 6385 };
    const nodes = five.layout.nodes.map((node) =>
      node.key === 'h2:6380' ? { ...twice, busPort: 16385, address: '10.0.0.1' } : node,
    );
    const layout = { ...five.layout, nodes };
    const crowded = loseAfterFailover(runningCluster(layout), 'h1');
    const fleet = hostsOf(crowded);
    const change: HostChange = { kind: 'replace', host: 'h1', with: 'h4' };
    const after = layoutAfter(crowded, change, { hosts: fleet });
    expect(isAcceptable(lintLayout(after, fleet))).toBe(true);
    const masters = (of: Layout) => of.nodes.map(({ preferredRole }) => preferredRole);
    const turned = masters(after).filter((role, index) => role !== masters(layout)[index]);
    expect(turned).toHaveLength(2);
    expect(after.nodes.filter(({ configEpoch }) => configEpoch > 0)).toHaveLength(5);
  });

  it('leaves a spec that names the hosts and nodes as they are now', () => {
    const pins = lost.layout.nodes.map(({ host, port, preferredRole }, index) => ({
      host,
      port,
      shard: undefined,
      role: index === 0 ? preferredRole : undefined,
    }));
    const spec = exampleSpec({ nodes: pins }, { hosts: ['h1', 'h2', 'h3'] });
    const after = layoutAfter(lost, replace, { hosts, spec });
    const layouts = { before: lost.layout, after };
    const changed = specAfterHostChange(spec, replace, layouts);
    expect(changed.placement.hosts).toEqual(['h4', 'h2', 'h3']);
    expect(changed.nodes.map(({ host, port }) => `${host}:${port}`)).toEqual(
      after.nodes.map(({ key }) => key),
    );
    expect(changed.nodes[0]?.role).toBe('master');
    expect(specAfterHostChange(spec, { kind: 'drain', host: 'h1' }, layouts)).toBe(spec);
  });
});

describe('another address of a host', () => {
  const readdress: HostChange = { kind: 'readdress', host: 'h1' };
  const moveTo = (address: string) =>
    hostsOf(three).map((host) => (host.name === 'h1' ? { ...host, address } : host));

  it('is given to all its nodes', () => {
    const after = layoutAfter(three, readdress, { hosts: moveTo('10.0.0.77') });
    expect(after.nodes).toEqual(
      three.layout.nodes.map((node) =>
        node.host === 'h1' ? { ...node, address: '10.0.0.77' } : node,
      ),
    );
  });

  it('is refused when it is the same, or another host’s', () => {
    expect(refusalOf(three, readdress).rules).toEqual(['address-unchanged h1']);
    const taken = refusalOf(three, readdress, { hosts: moveTo('10.0.0.2') });
    expect(taken.rules).toEqual(['address-taken h1']);
  });

  it('is refused when the host does not have it: nodes would be stopped, and not start there', () => {
    const having = (...addresses: string[]) =>
      moveTo('10.0.0.77').map((host) => {
        if (host.facts === undefined) throw new Error('no facts');
        return { ...host, facts: { ...host.facts, addresses } };
      });
    const { rules } = refusalOf(three, readdress, { hosts: having('127.0.0.1', '10.0.0.1') });
    expect(rules).toEqual(['address-not-there h1']);
    const after = layoutAfter(three, readdress, { hosts: having('10.0.0.1', '10.0.0.77') });
    expect(after.nodes.some(({ address }) => address === '10.0.0.77')).toBe(true);
  });
});
