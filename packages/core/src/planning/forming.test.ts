import { describe, expect, it } from 'vitest';
import type { HostObservation, ProcessState } from '../model/observation.ts';
import type { MeetNodesStep, Step } from '../model/step.ts';
import { planCancel, planSteps } from './plan-steps.ts';
import type { PlanInput } from './situation.ts';
import {
  attemptOf,
  layoutOf,
  NOW,
  playUntil,
  runningCluster,
  startedNodes,
  withProcess,
  withRedis,
} from './testing/examples.ts';

const layout = layoutOf({ hosts: 3, shards: 3, replicas: 1 });
const started = startedNodes(layout);
const lowered = { nodeTimeoutMs: 500, replicaNoFailover: true };

const hasKind = (kind: Step['kind']) => (steps: readonly Step[]) =>
  steps.some((step) => step.kind === kind);

function timingsOf(input: PlanInput): (string | number)[][] {
  return planSteps(input).steps.flatMap((step) =>
    step.kind === 'setTiming' ? [[step.node, step.nodeTimeoutMs]] : [],
  );
}

describe('the first turn over empty nodes', () => {
  const { steps } = planSteps(started);

  it('lowers timing, claims and probes at once', () => {
    const counts = Object.groupBy(steps, (step) => step.kind);
    expect(counts.setTiming).toHaveLength(6);
    expect(counts.claimSlots).toHaveLength(6);
    expect(counts.probeMesh).toHaveLength(3);
  });

  it('lists the timing of a node before its slots', () => {
    const kinds = steps.flatMap((step) =>
      'node' in step && step.node === 'h1:6379' ? step.kind : [],
    );
    expect(kinds).toEqual(['setTiming', 'claimSlots']);
  });

  it('gives every node an epoch of its own', () => {
    const epochs = steps.flatMap((step) => (step.kind === 'claimSlots' ? step.configEpoch : []));
    expect(epochs.toSorted()).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('probes data and bus ports of all nodes, from each host', () => {
    const probe = steps.find((step) => step.kind === 'probeMesh');
    expect(probe).toMatchObject({
      targets: layout.nodes.map(({ key, address, port, busPort }) => ({
        node: key,
        address,
        port,
        busPort,
      })),
    });
  });
});

describe('meeting', () => {
  it.each([3, 6, 30])('of %i shards has each pair once, spread evenly', (shards) => {
    const wide = layoutOf({ hosts: 3, shards, replicas: 1 });
    const { steps } = planSteps(playUntil(startedNodes(wide), hasKind('meetNodes')));
    const meets = steps.filter((step): step is MeetNodesStep => step.kind === 'meetNodes');
    const pairs = meets.flatMap((step) =>
      step.peers.map((peer) => [step.node, peer.node].toSorted().join(' ')),
    );
    const count = wide.nodes.length;
    expect(new Set(pairs).size).toBe(pairs.length);
    expect(pairs).toHaveLength((count * (count - 1)) / 2);
    const most = Math.max(...meets.map((step) => step.peers.length));
    expect(most).toBeLessThanOrEqual(Math.ceil(count / 2));
  });

  it('does not begin before every host has probed', () => {
    const input = playUntil(started, hasKind('meetNodes'));
    const history = input.history.filter((attempt) => attempt.stepKey !== 'probeMesh h2');
    const kinds = planSteps({ ...input, history }).steps.map((step) => step.kind);
    expect(kinds).toEqual(['probeMesh']);
  });

  it('is given up with the blocked pairs named', () => {
    const step: Step = { kind: 'probeMesh', host: 'h1', targets: [] };
    const message = 'h1 → h2:6379 bus port 16379: refused';
    const failure = attemptOf(step, { outcome: 'failed', errorCode: 'internal', message });
    const next = planSteps({ ...started, history: [failure, failure], now: NOW + 60_000 });
    expect(next.blockers[0]?.message).toContain(message);
  });
});

describe('timing', () => {
  it('stays lowered while the last node comes to say ok', () => {
    const formed = playUntil(started, hasKind('verifyWrite'));
    const loweredAll = layout.nodes.reduce(
      (input, node) => withRedis(input, node.key, lowered),
      formed,
    );
    const almost = withRedis(loweredAll, 'h1:6379', { clusterState: 'fail' });
    expect(timingsOf(almost)).toEqual([]);
    expect(timingsOf(loweredAll)).toHaveLength(6);
  });

  it('is put back after a quarter of a minute, formed or not', () => {
    const forming = playUntil(started, hasKind('attachReplica'));
    expect(timingsOf(forming)).toEqual([]);
    const late = { ...forming, now: forming.now + 15_000 };
    expect(timingsOf(late).map(([, timeout]) => timeout)).toEqual(Array(6).fill(5000));
  });

  it('is not lowered again after a quarter of a minute in which no cluster was formed', () => {
    const step: Step = { kind: 'setTiming', host: 'h1', node: 'h1:6379', ...lowered };
    const since = (now: number) => ({ ...started, history: [attemptOf(step)], now });
    expect(timingsOf(since(NOW + 14_000))).toHaveLength(6);
    expect(timingsOf(since(NOW + 15_000))).toEqual([]);
  });

  it('is put back when nothing tells since when it is lowered and a node serves', () => {
    const forming = playUntil(started, hasKind('attachReplica'));
    expect(timingsOf({ ...forming, history: [] })).toHaveLength(6);
  });

  it('is put back as soon as a node goes down', () => {
    const forming = playUntil(started, hasKind('meetNodes'));
    expect(timingsOf(withProcess(forming, 'h1:6379', { state: 'backoff' }))).toHaveLength(5);
  });

  it('is never lowered where a key was written', () => {
    expect(timingsOf(withRedis(started, 'h1:6379', { keys: 1 }))).toEqual([]);
  });

  it('is put back in a cluster that was left with it, before anything is verified', () => {
    const left = withRedis(runningCluster(layout), 'h1:6379', lowered);
    expect(timingsOf(left)).toEqual([['h1:6379', 5000]]);
  });

  it('is lowered less for more nodes, which would drown in pings', () => {
    const timeoutOf = (shards: number) =>
      timingsOf(startedNodes(layoutOf({ hosts: 3, shards, replicas: 1 })))[0]?.[1];
    expect([3, 12, 30].map(timeoutOf)).toEqual([500, 500, 1200]);
    expect(timingsOf(startedNodes(layoutOf({ hosts: 3, shards: 125, replicas: 1 })))).toEqual([]);
  });

  it('is not lowered below what the layout wants', () => {
    const quick = { ...layout, nodeTimeoutMs: 400 };
    expect(timingsOf(startedNodesOf(quick))).toEqual([]);
  });

  it('is not held low by a clock that was set back', () => {
    const step: Step = { kind: 'setTiming', host: 'h1', node: 'h1:6379', ...lowered };
    const left = withRedis({ ...started, history: [attemptOf(step)] }, 'h1:6379', lowered);
    expect(timingsOf({ ...left, now: NOW - 3_600_000 })).toEqual([['h1:6379', 5000]]);
  });

  it('of a node that cannot be asked keeps a cancelled operation waiting', () => {
    const forming = playUntil(started, hasKind('meetNodes'));
    const { observation } = forming;
    const restarted = { ...observation, nodes: {} };
    const away = { ...observation.hosts['h1'], status: 'lost' } as const;
    const hosts = { ...observation.hosts, h1: { ...away, name: 'h1' } as HostObservation };
    for (const unknown of [restarted, { ...observation, nodes: {}, hosts }]) {
      expect(planCancel({ ...forming, observation: unknown }).done).toBe(false);
    }
    const lost = planCancel({ ...runningCluster(layout), observation: { ...observation, hosts } });
    expect(lost.waits.map(({ subject }) => subject)).toEqual(['h1:6379', 'h1:6380']);
  });

  it('of a node without a process keeps nobody waiting', () => {
    const input = runningCluster(layout);
    const states: ProcessState[] = ['absent', 'prepared', 'stopped', 'backoff', 'held'];
    for (const state of states) {
      expect(planCancel(withProcess(input, 'h1:6379', { state })).done).toBe(true);
    }
    expect(planCancel(withProcess(input, 'h1:6379', { state: 'unresponsive' })).done).toBe(false);
  });

  it('is all that a cancelled operation still puts back', () => {
    const forming = playUntil(started, hasKind('meetNodes'));
    const next = planCancel(forming);
    expect(next.steps.map((step) => step.kind)).toEqual(Array(6).fill('setTiming'));
    expect(planCancel(runningCluster(layout))).toMatchObject({ steps: [], done: true });
  });
});

/** Timing is restored in a run to the end, so only its forming steps tell. */
function startedNodesOf(quick: typeof layout): PlanInput {
  const bare = startedNodes(layout);
  const input = layout.nodes.reduce(
    (current, node) => withRedis(current, node.key, { nodeTimeoutMs: quick.nodeTimeoutMs }),
    bare,
  );
  return { ...input, layout: quick };
}
