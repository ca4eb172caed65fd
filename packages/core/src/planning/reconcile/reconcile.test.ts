import { describe, expect, it } from 'vitest';
import type { Layout } from '../../model/layout.ts';
import type { Observation } from '../../model/observation.ts';
import { forecastSteps } from '../testing/forecast-steps.ts';
import { absentNode } from '../fresh-node.ts';
import { planCancel, planSteps } from '../plan-steps.ts';
import { settle } from '../settle.ts';
import type { PlanInput } from '../situation.ts';
import { strike, visiblePart, type Misfortune } from '../testing/drift.ts';
import {
  attemptOf,
  factsOf,
  layoutOf,
  NOW,
  playUntil,
  runningCluster,
  withAllViews,
  withHost,
  withNode,
  withProcess,
  withRedis,
  withViewEntry,
} from '../testing/examples.ts';
import { findLeftForLater } from './left-for-later.ts';

/** s1 is on h1:6379 and h2:6379, s2 on h2:6380 and h3:6379, s3 on h3:6380 and h4:6379. */
const layout = layoutOf({ hosts: 4, shards: 3, replicas: 1 });
const running: PlanInput = { ...runningCluster(layout), kind: 'repair' };

/** Rounds of the forecast, each as its kinds of steps and their nodes; proof is left out. */
function roundsOf(input: PlanInput): string[] {
  const { rounds } = forecastSteps(input);
  const lines = rounds.map((steps) => {
    const byKind = Map.groupBy(steps, (step) => step.kind);
    return [...byKind].map(([kind, own]) => {
      const nodes = own.map((step) =>
        'node' in step ? step.node : 'plan' in step ? step.plan.node.key : step.host,
      );
      const isAll = nodes.length === input.layout.nodes.length;
      return `${kind} ${isAll ? 'all' : nodes.toSorted().join(' ')}`;
    });
  });
  return lines.map((kinds) => kinds.join(', ')).filter((line) => !line.startsWith('verifyWrite'));
}

function completes(input: PlanInput): boolean {
  return forecastSteps(input).complete;
}

function stepsOf(input: PlanInput): string[] {
  return planSteps(input).steps.map((step) => `${step.kind} ${'node' in step ? step.node : ''}`);
}

function waitsOf(input: PlanInput): string[] {
  return planSteps(input).waits.map((wait) => `${wait.subject}: ${wait.reason}`);
}

/** Rules and subjects of the blockers that are left when all else is done. */
function blockersOf(input: PlanInput): string[] {
  return forecastSteps(input).blockers.map(({ rule, subject }) => `${rule} ${subject}`);
}

function seeing(observation: Observation, change: Partial<PlanInput> = {}): PlanInput {
  return { ...running, ...change, observation: visiblePart(settle(observation)) };
}

function struck(key: string, misfortune: Misfortune): PlanInput {
  return seeing(strike(running.observation, key, misfortune));
}

function lost(name: string, from = running): PlanInput {
  const { observation } = withHost(from, name, { status: 'lost', lastSeenMs: NOW - 90_000 });
  return { ...from, observation: settle(observation) };
}

describe('a repair', () => {
  it('does nothing but prove a cluster that is in order', () => {
    expect(new Set(planSteps(running).steps.map((step) => step.kind))).toEqual(
      new Set(['verifyWrite']),
    );
    expect(roundsOf(running)).toEqual([]);
  });

  it('brings a master home after a failover', () => {
    const input = struck('h1:6379', 'fail-over');
    expect(roundsOf(input)).toEqual(['handoffMaster h1:6379']);
    expect(completes(input)).toBe(true);
  });

  it('brings masters home one by one, from the host with most of them first', () => {
    const twice = strike(
      strike(running.observation, 'h3:6380', 'fail-over'),
      'h1:6379',
      'fail-over',
    );
    // h2 has two masters now, h4 one.
    expect(roundsOf(seeing(twice))).toEqual(['handoffMaster h1:6379', 'handoffMaster h3:6380']);
  });

  it('starts what is stopped', () => {
    expect(roundsOf(struck('h2:6379', 'stop'))).toEqual(['startNode h2:6379']);
    expect(roundsOf(struck('h1:6379', 'stop'))).toEqual([
      'startNode h1:6379',
      'handoffMaster h1:6379',
    ]);
  });

  it('stops and starts a process that hangs, once the others do without it', () => {
    expect(roundsOf(struck('h1:6379', 'hang'))[0]).toBe('stopNode h1:6379, startNode h1:6379');
    const hung = visiblePart(strike(running.observation, 'h1:6379', 'hang'));
    expect(stepsOf({ ...running, observation: hung })).toEqual([]);
  });

  it('makes a node anew that lost its directory', () => {
    expect(roundsOf(struck('h1:6379', 'vanish'))).toEqual([
      'prepareNode h1:6379',
      'startNode h1:6379',
      'probeMesh h1 h2 h3 h4',
      'meetNodes h1:6379 h2:6380 h3:6380',
      'attachReplica h1:6379',
      'handoffMaster h1:6379',
      'forgetNodes all',
    ]);
  });

  it('makes a node anew that lost its nodes.conf, and keeps what is left of it in the trash', () => {
    expect(roundsOf(struck('h1:6379', 'lose-identity'))[0]).toBe(
      'stopNode h1:6379, removeNode h1:6379, prepareNode h1:6379, startNode h1:6379',
    );
  });

  it('starts what crashes twice before it makes it anew', () => {
    const crashed = struck('h1:6379', 'crash');
    expect(stepsOf(crashed)).toEqual(['startNode h1:6379']);
    const [start] = planSteps(crashed).steps;
    if (start === undefined) throw new Error('no step');
    const failure = attemptOf(start, { outcome: 'failed', errorCode: 'failed-precondition' });
    expect(stepsOf({ ...crashed, history: [failure] })).toEqual(['startNode h1:6379']);
    const given = { ...crashed, history: [failure, failure] };
    expect(stepsOf(given)).toEqual([
      'stopNode h1:6379',
      'removeNode h1:6379',
      'prepareNode ',
      'startNode h1:6379',
    ]);
  });

  it('makes nothing anew on a full disk', () => {
    const facts = { ...factsOf(2), diskFreeBytes: 1000 };
    const full = withHost(struck('h2:6379', 'lose-identity'), 'h2', { facts });
    expect(blockersOf(full)).toEqual(['disk-full h2:6379']);
  });

  it.each(['vanish', 'wipe', 'lose-identity', 'hang'] as const)(
    'never touches the last copy of a shard (%s)',
    (misfortune) => {
      const alone = strike(running.observation, 'h2:6379', 'lose-identity');
      const both = seeing(strike(settle(alone), 'h1:6379', misfortune));
      expect(stepsOf(both)).toEqual([]);
      expect(blockersOf(both)).toContain('slots-lost s1');
    },
  );

  it('says where the last copies of lost slots are', () => {
    const alone = strike(running.observation, 'h2:6379', 'vanish');
    const input = lost('h1', seeing(alone));
    const blocker = forecastSteps(input).blockers.find(({ rule }) => rule === 'slots-lost');
    expect(blocker?.evidence).toEqual([
      'h1:6379: on host h1, which is lost',
      'h2:6379: absent, no data in its directory',
    ]);
  });

  it('never discards the directory of a stopped node whose shard has no other owner', () => {
    const other = strike(
      settle(strike(running.observation, 'h2:6379', 'vanish')),
      'h1:6379',
      'stop',
    );
    expect(stepsOf(seeing(other))).toEqual(['startNode h1:6379']);
  });

  it('leaves nodes of a lost host out, says so, and does the rest', () => {
    const input = lost('h4', seeing(strike(running.observation, 'h1:6379', 'fail-over')));
    expect(roundsOf(input)).toEqual(['handoffMaster h1:6379']);
    expect(completes(input)).toBe(true);
    expect(findLeftForLater(input)).toMatchObject([{ rule: 'host-left-out', subject: 'h4' }]);
    expect(findLeftForLater(input)[0]?.remedy).toContain('redrover host replace h4 --with NEW');
    expect(findLeftForLater(running)).toEqual([]);
  });

  it('goes on without a master whose agent alone is away', () => {
    const away = withHost(running, 'h1', { status: 'lost', lastSeenMs: NOW - 90_000 });
    expect(planSteps(away).blockers).toEqual([]);
    expect(stepsOf(away)).toEqual(['verifyWrite h2:6380', 'verifyWrite h3:6380']);
    const { observation } = withNode(away, 'h2:6379', (node) => ({
      ...absentNode(
        { ...node, address: '', busPort: 0, shard: 's1', preferredRole: 'replica', configEpoch: 0 },
        NOW,
      ),
    }));
    const history = planSteps(away).steps.map((step) => attemptOf(step));
    const [blocker] = planSteps({ ...away, observation, history }).blockers;
    expect(blocker).toMatchObject({ rule: 'master-out-of-reach', subject: 's1' });
  });

  it('is blocked without a majority of masters', () => {
    const input = lost('h3', lost('h4', lost('h2')));
    expect(blockersOf(input)).toContain('no-majority shop');
    expect(stepsOf(input)).toEqual([]);
  });

  it('waits while a host is suspect, for it is soon back or lost', () => {
    const { observation } = withHost(running, 'h4', { status: 'suspect' });
    const input = {
      ...running,
      observation,
      history: planSteps(running).steps.map((step) => attemptOf(step)),
    };
    expect(waitsOf(input)).toEqual(['h4: host suspect: soon back, or lost']);
  });

  it('takes a replica back from another shard, unless it is the only copy there', () => {
    const stray = seeing(strike(running.observation, 'h2:6379', 'stray'));
    expect(stepsOf(stray)).toEqual(['attachReplica h2:6379']);
    const master = stray.observation.nodes['h2:6379']?.redis?.view.nodes.find(
      ({ nodeId }) => nodeId === stray.observation.nodes['h2:6379']?.redis?.nodeId,
    )?.masterId;
    const owner = Object.values(stray.observation.nodes).find(
      ({ redis }) => redis?.nodeId === master,
    );
    const replica = owner?.key === 'h2:6380' ? 'h3:6379' : 'h4:6379';
    const kept = lost(replica.slice(0, 2), stray);
    expect(stepsOf(kept).filter((step) => step.startsWith('attachReplica'))).toEqual([]);
  });
});

describe('a handoff', () => {
  const drifted = struck('h1:6379', 'fail-over');

  it('waits until the replica is in sync, and near its master', () => {
    const syncing = withRedis(drifted, 'h1:6379', { masterLinkUp: false, syncInProgress: true });
    expect(stepsOf(syncing)).toEqual([]);
    expect(waitsOf(syncing)).toEqual(['h1:6379: replica syncing']);
    const behind = withRedis(drifted, 'h2:6379', { replicationOffset: 1e9 });
    expect(stepsOf(behind)).toEqual([]);
  });

  it.each([
    ['a node says cluster_state fail', withRedis(drifted, 'h4:6379', { clusterState: 'fail' })],
    [
      'somebody sees its master failing',
      withViewEntry(
        drifted,
        { holder: 'h4:6379', about: 'h2:6379' },
        { flags: ['master', 'fail?'] },
      ),
    ],
    [
      'a slot is open',
      withViewEntry(
        drifted,
        { holder: 'h3:6380', about: 'h3:6380' },
        {
          migrating: [{ slot: 16_000, nodeId: 'a' }],
        },
      ),
    ],
    [
      'a view does not know who follows whom',
      withViewEntry(drifted, { holder: 'h3:6380', about: 'h1:6379' }, { masterId: 'b' }),
    ],
  ])('waits while %s', (_name, input) => {
    expect(stepsOf(input)).toEqual([]);
    expect(waitsOf(input).length).toBeGreaterThan(0);
  });

  it('waits for another one that a dead controller may have begun', () => {
    const other = struck('h3:6380', 'fail-over');
    const [step] = planSteps(other).steps;
    if (step?.kind !== 'handoffMaster') throw new Error('no handoff');
    const begun = attemptOf(step, { outcome: 'running', endedAtMs: undefined });
    const both = strike(
      strike(running.observation, 'h3:6380', 'fail-over'),
      'h1:6379',
      'fail-over',
    );
    expect(stepsOf({ ...seeing(both), history: [begun] })).toEqual(['handoffMaster h3:6380']);
    expect(stepsOf({ ...drifted, history: [begun] })).toEqual([]);
    expect(stepsOf({ ...drifted, history: [begun], now: NOW + 40_000 })).toEqual([
      'handoffMaster h1:6379',
    ]);
  });

  it('is given up after three tries, and the others are done', () => {
    const [step] = planSteps(drifted).steps;
    if (step === undefined) throw new Error('no handoff');
    const failed = attemptOf(step, { outcome: 'failed', errorCode: 'deadline-exceeded' });
    const given = { ...drifted, history: [failed, failed, failed] };
    expect(stepsOf(given).every((name) => name.startsWith('verifyWrite'))).toBe(true);
    const proved = planSteps(given).steps.map((proof) => attemptOf(proof));
    const { blockers } = planSteps({ ...given, history: [...given.history, ...proved] });
    expect(blockers).toMatchObject([{ rule: 'step-failed', subject: 'h1:6379' }]);
  });
});

describe('a drained host', () => {
  const drained: Layout = { ...layout, number: 2, drainedHosts: ['h1'] };

  it('hands its masters over before its nodes stop', () => {
    const input: PlanInput = { ...running, kind: 'change', layout: drained };
    expect(roundsOf(input)).toEqual(['handoffMaster h2:6379', 'stopNode h1:6379']);
    expect(completes(input)).toBe(true);
  });

  it('keeps a replica running until the others of its shard are in sync', () => {
    const wide = layoutOf({ hosts: 4, shards: 3, replicas: 2 });
    const away: Layout = { ...wide, number: 2, drainedHosts: ['h2'] };
    const input: PlanInput = { ...runningCluster(wide), kind: 'change', layout: away };
    // s1 is on h1, h2 and h3; its master is on h1.
    const syncing = withRedis(input, 'h3:6379', { masterLinkUp: false });
    expect(stepsOf(syncing)).not.toContain('stopNode h2:6379');
  });

  it('cannot lose the only node of a shard', () => {
    const single = layoutOf({ hosts: 3, shards: 3, replicas: 0 });
    const away: Layout = { ...single, number: 2, drainedHosts: ['h1'] };
    const input: PlanInput = { ...runningCluster(single), kind: 'change', layout: away };
    expect(stepsOf(input)).not.toContain('stopNode h1:6379');
    expect(blockersOf(input)).toEqual(['no-heir h1:6379']);
  });

  it('comes back with its masters', () => {
    const { observation } = lastOf({ ...running, kind: 'change', layout: drained });
    const back = { ...running, kind: 'change' as const, layout: { ...layout, number: 3 } };
    expect(roundsOf({ ...back, observation: visiblePart(observation) })).toEqual([
      'startNode h1:6379',
      'handoffMaster h1:6379',
    ]);
  });
});

describe('a change', () => {
  const moved: Layout = {
    ...layout,
    number: 2,
    nodes: layout.nodes.map((node) =>
      node.host === 'h1' ? { ...node, host: 'h5', key: 'h5:6379', address: '10.0.0.5' } : node,
    ),
  };
  const former = layout.nodes.filter(({ host }) => host === 'h1');
  const toNew = (from: PlanInput): PlanInput => {
    const h2 = from.observation.hosts['h2'];
    const added = moved.nodes.find(({ host }) => host === 'h5');
    if (h2 === undefined || added === undefined) throw new Error('no host');
    const hosts = { ...from.observation.hosts, h5: { ...h2, name: 'h5', builds: [] } };
    const nodes = { ...from.observation.nodes, [added.key]: absentNode(added, NOW) };
    const observation = { ...from.observation, hosts, nodes };
    return { ...from, kind: 'change', layout: moved, former, observation };
  };

  it('replaces the nodes of a lost host, and has everybody forget them', () => {
    const input = toNew(lost('h1'));
    expect(roundsOf(input)).toEqual([
      'fetchBuild h5',
      'prepareNode h5:6379',
      'startNode h5:6379',
      'probeMesh h2 h3 h4 h5',
      'meetNodes h2:6380 h3:6380 h5:6379',
      'attachReplica h5:6379',
      'handoffMaster h5:6379',
      'forgetNodes all',
    ]);
    expect(completes(input)).toBe(true);
  });

  it('moves the nodes of a living host: the new ones have all before the old ones go', () => {
    const rounds = roundsOf(toNew(running));
    expect(rounds.slice(-5)).toEqual([
      'attachReplica h5:6379',
      'handoffMaster h5:6379',
      'stopNode h1:6379',
      'forgetNodes all',
      'removeNode h1:6379',
    ]);
  });

  it('leaves former nodes alone whose directory is another cluster’s by now', () => {
    const marker = { cluster: 'till', clusterId: 'c-2', layoutNumber: 1 };
    const taken = withProcess(toNew(lost('h1')), 'h1:6379', { marker });
    const back = withHost(taken, 'h1', { status: 'online' });
    expect(
      forecastSteps(back)
        .rounds.flat()
        .filter((step) => 'node' in step && step.node === 'h1:6379'),
    ).toEqual([]);
    expect(completes(back)).toBe(true);
  });

  it('waits for a silent host, and after a minute names the way on', () => {
    const silent = (lastSeenMs: number) => ({
      ...withHost(running, 'h2', { status: 'suspect', lastSeenMs }),
      kind: 'change' as const,
    });
    expect(waitsOf(silent(NOW - 5000))).toContain('h2: host suspect, last heard of 5 s ago');
    const [blocker] = planSteps(silent(NOW - 61_000)).blockers;
    expect(blocker?.remedy).toContain('redrover host replace h2 --with NEW');
  });

  it('gives a node the new address of its host: handed off, restarted, brought home', () => {
    const nodes = layout.nodes.map((node) =>
      node.host === 'h1' ? { ...node, address: '10.1.0.1' } : node,
    );
    const next: Layout = { ...layout, number: 2, nodes };
    expect(roundsOf({ ...running, kind: 'change', layout: next })).toEqual([
      'handoffMaster h2:6379',
      'stopNode h1:6379, prepareNode h1:6379, startNode h1:6379',
      'handoffMaster h1:6379',
    ]);
    const crashed = struck('h1:6379', 'crash');
    expect(roundsOf({ ...crashed, kind: 'change', layout: next })[0]).toBe(
      'stopNode h1:6379, prepareNode h1:6379, startNode h1:6379',
    );
  });

  it('never restarts the only node of a shard that the others still reach', () => {
    const single = layoutOf({ hosts: 3, shards: 3, replicas: 0 });
    const nodes = single.nodes.map((node) =>
      node.host === 'h1' ? { ...node, address: '10.1.0.1' } : node,
    );
    const input: PlanInput = {
      ...runningCluster(single),
      kind: 'change',
      layout: { ...single, number: 2, nodes },
    };
    expect(stepsOf(input)).not.toContain('stopNode h1:6379');
    expect(blockersOf(input)).toContain('only-copy h1:6379');
  });

  it('does not change the config of a running node otherwise', () => {
    const input = {
      ...withProcess(running, 'h1:6379', { planHash: 'other' }),
      kind: 'change' as const,
    };
    expect(blockersOf(input)).toEqual(['change-not-supported h1:6379']);
  });

  it('names the way on when a host has another address than its nodes', () => {
    const facts = { ...factsOf(2), addresses: ['10.9.9.9'] };
    const input = withHost(struck('h2:6379', 'crash'), 'h2', { facts });
    const blocker = forecastSteps(input).blockers[0];
    expect(blocker).toMatchObject({ rule: 'address-gone', remedy: 'redrover host readdress h2' });
  });

  it('that is cancelled only puts timing back, and is done with a host away', () => {
    const input = { ...lost('h1'), kind: 'change' as const };
    expect(planCancel(input)).toMatchObject({ steps: [], waits: [], blockers: [], done: true });
    const lowered = withRedis(input, 'h2:6379', { nodeTimeoutMs: 500 });
    expect(planCancel(lowered).steps.map((step) => step.kind)).toEqual(['setTiming']);
  });
});

describe('what is forgotten', () => {
  const anew = lastOf(struck('h1:6379', 'vanish'), 'forgetNodes');

  it('is sent to every living node in one turn', () => {
    const steps = planSteps(anew).steps;
    expect(steps.map((step) => step.kind)).toEqual(Array(6).fill('forgetNodes'));
  });

  it('is no id that owns a slot, or that somebody follows', () => {
    const [step] = planSteps(anew).steps;
    const id = step?.kind === 'forgetNodes' ? (step.nodeIds[0] ?? '') : '';
    const following = withAllViews(anew, 'h4:6379', { masterId: id });
    expect(stepsOf(following).filter((name) => name.startsWith('forgetNodes'))).toEqual([]);
  });

  it('is forgotten again when gossip brings it back', () => {
    const first = planSteps(anew).steps.map((step) => attemptOf(step, { endedAtMs: anew.now }));
    const again = { ...anew, history: [...anew.history, ...first], now: anew.now + 5000 };
    expect(planSteps(again).steps.map((step) => step.kind)).toEqual(Array(6).fill('forgetNodes'));
  });
});

/** The world at the end of the operation, or when a step of that kind is due. */
function lastOf(input: PlanInput, until?: string): PlanInput {
  return playUntil(input, (steps) => steps.some((step) => step.kind === until));
}
