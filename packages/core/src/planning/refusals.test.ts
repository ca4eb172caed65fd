import { describe, expect, it } from 'vitest';
import type { Step } from '../model/step.ts';
import { planSteps } from './plan-steps.ts';
import type { PlanInput } from './situation.ts';
import {
  attemptOf,
  bareHosts,
  inputOf,
  layoutOf,
  NOW,
  runningCluster,
  startedNodes,
  withAllViews,
  withHost,
  withProcess,
  withRedis,
  withViewEntry,
} from './testing/examples.ts';

const layout = layoutOf({ hosts: 3, shards: 3, replicas: 1 });
const bare = inputOf(layout, bareHosts(layout));
const running = runningCluster(layout);
const lowered = { nodeTimeoutMs: 500, replicaNoFailover: true };

/** Rule and subject of each blocker. */
function blockersOf(input: PlanInput): string[] {
  return planSteps(input).blockers.map((blocker) => `${blocker.rule} ${blocker.subject}`);
}

/** Kind and node of each step. */
function stepsOf(input: PlanInput): string[] {
  return planSteps(input).steps.map((step) => `${step.kind} ${'node' in step ? step.node : ''}`);
}

function waitsOf(input: PlanInput): string[] {
  return planSteps(input).waits.map((wait) => `${wait.subject}: ${wait.reason}`);
}

describe('a creation', () => {
  it('never touches the directory of another cluster', () => {
    const marker = { cluster: 'till', clusterId: 'c-2', layoutNumber: 1 };
    const input = withProcess(bare, 'h1:6379', { state: 'stopped', marker, hasData: true });
    expect(blockersOf(input)).toEqual(['node-of-another-cluster h1:6379']);
    expect(stepsOf(input)).toEqual([]);
  });

  it('never touches data that nobody has marked', () => {
    const input = withProcess(bare, 'h1:6379', { hasData: true });
    expect(blockersOf(input)).toEqual(['node-holds-foreign-data h1:6379']);
  });

  it('never touches a process that nobody has marked', () => {
    const input = withProcess(bare, 'h1:6379', { state: 'running' });
    expect(blockersOf(input)).toEqual(['node-holds-foreign-data h1:6379']);
  });

  it('resumes over directories with its own marker, whatever layout number they carry', () => {
    const prepared = withProcess(bare, 'h1:6379', {
      state: 'prepared',
      marker: { cluster: 'shop', clusterId: 'c-1', layoutNumber: 7 },
      hasData: true,
    });
    expect(blockersOf(prepared)).toEqual([]);
  });

  it('does not rewrite the config of a running node', () => {
    const input = withProcess(running, 'h1:6379', { planHash: 'other' });
    expect(blockersOf(input)).toEqual(['change-not-supported h1:6379']);
  });

  it('waits for a node that its host has not reported', () => {
    const { 'h1:6379': _gone, ...nodes } = bare.observation.nodes;
    const input = { ...bare, observation: { ...bare.observation, nodes } };
    expect(waitsOf(input)).toContain('h1:6379: not reported yet by its host');
  });

  it.each(['held', 'crash-loop'] as const)('gives up on a node that is %s', (state) => {
    const input = withProcess(running, 'h1:6379', { state, reason: 'AOF is broken' });
    const [blocker] = planSteps(input).blockers;
    expect(blocker?.message).toContain('AOF is broken');
  });

  it('gives a started node a minute to answer', () => {
    const starting = withProcess(running, 'h1:6379', { state: 'starting' });
    const start: Step = { kind: 'startNode', host: 'h1', node: 'h1:6379' };
    const after = (sinceMs: number) => ({
      ...starting,
      history: [attemptOf(start)],
      now: NOW + sinceMs,
    });
    expect(blockersOf(after(59_000))).toEqual([]);
    expect(blockersOf(after(60_000))).toEqual(['node-does-not-answer h1:6379']);
  });

  it('leaves a replica to Redis that still follows its shard’s former master', () => {
    const wide = runningCluster(layoutOf({ hosts: 3, shards: 3, replicas: 2 }));
    const id = (key: string) => wide.observation.nodes[key]?.redis?.nodeId ?? '';
    // s1 is h1:6379, h2:6379, h3:6379; its last replica follows the other one.
    const input = withAllViews(wide, 'h3:6379', { masterId: id('h2:6379') });
    expect(stepsOf(input)).toEqual([]);
    expect(waitsOf(input)).toEqual(['h3:6379: still follows the former master of shard s1']);
  });

  it('waits for a silent host, but not for longer than a minute', () => {
    const silent = (lastSeenMs: number) =>
      withHost(running, 'h2', { status: 'suspect', lastSeenMs });
    expect(waitsOf(silent(NOW - 5000))).toContain('h2: host suspect, last heard of 5 s ago');
    expect(blockersOf(silent(NOW - 61_000))).toEqual(['host-unreachable h2']);
  });

  it('never discards the keys of a stray node to make it a replica', () => {
    const stray = withAllViews(running, 'h2:6379', { flags: ['master'], masterId: '' });
    const free = withRedis(stray, 'h2:6379', { role: 'master' });
    expect(stepsOf(free)).toEqual(['attachReplica h2:6379']);
    expect(blockersOf(withRedis(free, 'h2:6379', { keys: 1 }))).toEqual([
      'node-holds-data h2:6379',
    ]);
  });

  it('never attaches a node that owns slots in anybody’s view', () => {
    const stray = withAllViews(running, 'h2:6379', { flags: ['master'], masterId: '' });
    const free = withRedis(stray, 'h2:6379', { role: 'master' });
    const slots = [{ start: 0, end: 0 }];
    const input = withViewEntry(free, { holder: 'h3:6380', about: 'h2:6379' }, { slots });
    expect(stepsOf(input)).toEqual([]);
    expect(waitsOf(input)).toContain('s1: h1:6379 and h2:6379 both own slots in some view');
  });

  it('stops when a shard’s slots are on a node of another shard', () => {
    const slots = [{ start: 5000, end: 6000 }];
    const about = { holder: 'h3:6380', about: 'h1:6379' };
    expect(blockersOf(withViewEntry(running, about, { slots }))).toEqual([
      'slots-on-wrong-node h1:6379',
    ]);
  });

  it('stops when the cluster knows a node that the layout does not have', () => {
    const smaller = { ...layout, nodes: layout.nodes.slice(0, 5) };
    expect(blockersOf({ ...running, layout: smaller })).toEqual([
      'unknown-node-in-view 10.0.0.1:6380',
    ]);
  });

  it('puts lowered timing back before it gives up', () => {
    const input = withRedis(withProcess(running, 'h1:6379', { state: 'held' }), 'h2:6379', lowered);
    expect(stepsOf(input)).toEqual(['setTiming h2:6379']);
    expect(blockersOf(input)).toEqual(['node-held h1:6379']);
  });

  it('is not done while one node says cluster_state fail', () => {
    const input = withRedis(running, 'h1:6379', { clusterState: 'fail' });
    expect(stepsOf(input)).toEqual([]);
    expect(waitsOf(input)).toEqual(['h1:6379: says cluster_state fail']);
  });

  it('is not done while one view differs', () => {
    const about = { holder: 'h1:6379', about: 'h2:6379' };
    const input = withViewEntry(running, about, { flags: ['slave', 'fail?'] });
    expect(waitsOf(input)).toContain('shop: 2 different views of the cluster');
    expect(planSteps(input).done).toBe(false);
  });

  it('is not done while a replica syncs', () => {
    const input = withRedis(running, 'h2:6379', { syncInProgress: true, masterLinkUp: false });
    expect(waitsOf(input)).toEqual(['h2:6379: replica syncing']);
  });

  it('leaves roles that Redis changed as they are, and verifies the acting master', () => {
    const slots = layout.shards[0]?.slots ?? [];
    const id = (key: string) => running.observation.nodes[key]?.redis?.nodeId ?? '';
    const swapped = withAllViews(
      withAllViews(running, 'h1:6379', { flags: ['slave'], masterId: id('h2:6379'), slots: [] }),
      'h2:6379',
      { flags: ['master'], masterId: '', slots, configEpoch: 9 },
    );
    const input = withRedis(withRedis(swapped, 'h2:6379', { role: 'master' }), 'h1:6379', {
      role: 'replica',
      masterLinkUp: true,
    });
    expect(stepsOf(input)).toContain('verifyWrite h2:6379');
    // The former master comes back empty and alone in its role: it follows the new one.
    const returned = withAllViews(input, 'h1:6379', { flags: ['master'], masterId: '' });
    expect(stepsOf(withRedis(returned, 'h1:6379', { role: 'master' }))).toEqual([
      'attachReplica h1:6379',
    ]);
  });
});

describe('a change', () => {
  it('of a running cluster to the same nodes only verifies', () => {
    const kinds = planSteps({ ...running, kind: 'change' }).steps.map((step) => step.kind);
    expect(new Set(kinds)).toEqual(new Set(['verifyWrite']));
  });
});

describe('nodes that met before their epochs were set', () => {
  it('are only given slots, as Redis refuses the epoch then', () => {
    const started = startedNodes(layout);
    const met = withRedis(started, 'h1:6379', { knownNodes: 2 });
    const step = planSteps(met).steps.find(
      (candidate) => candidate.kind === 'claimSlots' && candidate.node === 'h1:6379',
    );
    expect(step).toMatchObject({ configEpoch: 0, slots: layout.shards[0]?.slots });
  });
});
