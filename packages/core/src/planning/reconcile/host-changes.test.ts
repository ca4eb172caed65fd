/** Layouts with other hosts or addresses: made real, waited for, or called off. */
import { describe, expect, it } from 'vitest';
import type { Layout } from '../../model/layout.ts';
import { absentNode } from '../fresh-node.ts';
import { planCancel, planSteps } from '../plan-steps.ts';
import type { PlanInput } from '../situation.ts';
import {
  factsOf,
  layoutOf,
  NOW,
  runningCluster,
  withHost,
  withProcess,
  withRedis,
} from '../testing/examples.ts';
import { forecastSteps } from '../testing/forecast-steps.ts';
import { blockersOf, completes, roundsOf, stepsOf, waitsOf } from '../testing/plan-lines.ts';
import { layout, lost, running, struck } from '../testing/repair-scenes.ts';

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
