import { describe, expect, it } from 'vitest';
import { forecastSteps } from './testing/forecast-steps.ts';
import { planSteps } from './plan-steps.ts';
import { findLeftAlone } from './remove.ts';
import type { PlanInput } from './situation.ts';
import {
  bareHosts,
  inputOf,
  layoutOf,
  NOW,
  runningCluster,
  withHost,
  withProcess,
} from './testing/examples.ts';

const layout = layoutOf({ hosts: 3, shards: 3, replicas: 1 });
const running: PlanInput = { ...runningCluster(layout), kind: 'remove' };

describe('a removal', () => {
  it('stops replicas, then masters, then removes the directories', () => {
    const { rounds, complete } = forecastSteps({ ...running, purge: true });
    const lines = rounds.map((steps) =>
      steps.map((step) => `${step.kind} ${'node' in step ? step.node : ''}`).toSorted(),
    );
    expect(lines).toEqual([
      ['stopNode h1:6380', 'stopNode h2:6379', 'stopNode h3:6379'].toSorted(),
      ['stopNode h1:6379', 'stopNode h2:6380', 'stopNode h3:6380'].toSorted(),
      layout.nodes.map((node) => `removeNode ${node.key}`).toSorted(),
    ]);
    expect(rounds[2]?.every((step) => step.kind === 'removeNode' && step.purge)).toBe(true);
    expect(complete).toBe(true);
  });

  it('leaves nodes of another cluster alone', () => {
    const marker = { cluster: 'till', clusterId: 'c-2', layoutNumber: 1 };
    const input = withProcess(running, 'h1:6379', { marker });
    const keys = forecastSteps(input)
      .rounds.flat()
      .map((step) => 'node' in step && step.node);
    expect(keys).not.toContain('h1:6379');
    expect(forecastSteps(input).complete).toBe(true);
  });

  it('names the nodes that it leaves alone', () => {
    const marker = { cluster: 'till', clusterId: 'c-2', layoutNumber: 1 };
    const foreign = withProcess(running, 'h1:6379', { marker });
    const { observation } = withProcess(foreign, 'h2:6379', { marker: undefined });
    const { h3: _gone, ...hosts } = observation.hosts;
    const left = findLeftAlone({ layout, observation: { ...observation, hosts } });
    expect(left.map(({ subject }) => subject).toSorted()).toEqual([
      'h1:6379',
      'h2:6379',
      'h3:6379',
      'h3:6380',
    ]);
    expect(left.find(({ subject }) => subject === 'h1:6379')?.message).toContain('till');
    expect(findLeftAlone(running)).toEqual([]);
    expect(findLeftAlone({ layout, observation: bareHosts(layout) })).toEqual([]);
  });

  it('takes nodes of earlier layouts along, and waits for no host that was replaced', () => {
    const former = layout.nodes.filter(({ host }) => host === 'h3');
    const nodes = layout.nodes.filter(({ host }) => host !== 'h3');
    const input = { ...running, layout: { ...layout, nodes }, former };
    const removedBy = (given: PlanInput) =>
      forecastSteps(given)
        .rounds.flat()
        .flatMap((step) => (step.kind === 'removeNode' ? [step.node] : []));
    expect(removedBy(input).toSorted()).toEqual(layout.nodes.map(({ key }) => key).toSorted());
    const gone = withHost(input, 'h3', { status: 'lost', lastSeenMs: NOW - 90_000 });
    expect(removedBy(gone).toSorted()).toEqual(nodes.map(({ key }) => key).toSorted());
    expect(forecastSteps(gone).complete).toBe(true);
  });

  it('of what is not there is done at once', () => {
    const input: PlanInput = { ...inputOf(layout, bareHosts(layout)), kind: 'remove' };
    expect(planSteps(input).done).toBe(true);
  });

  it('stops nothing while a host is lost', () => {
    const input = withHost(running, 'h2', { status: 'lost', lastSeenMs: NOW - 90_000 });
    const next = planSteps(input);
    expect(next.steps).toEqual([]);
    expect(next.blockers).toMatchObject([{ rule: 'host-unreachable', subject: 'h2' }]);
  });

  it('goes on without a host that the controller no longer knows', () => {
    const { h2: _gone, ...hosts } = running.observation.hosts;
    const input = { ...running, observation: { ...running.observation, hosts } };
    expect(forecastSteps(input).complete).toBe(true);
  });

  it('is not done while a host has not reported its nodes', () => {
    const { 'h1:6379': _gone, ...nodes } = running.observation.nodes;
    const next = planSteps({ ...running, observation: { ...running.observation, nodes } });
    expect(next.done).toBe(false);
    expect(next.waits).toMatchObject([{ subject: 'h1:6379' }]);
  });
});
