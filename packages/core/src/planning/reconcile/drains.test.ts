/** Nodes of a host under maintenance, and their way back. */
import { describe, expect, it } from 'vitest';
import type { Layout } from '../../model/layout.ts';
import type { PlanInput } from '../situation.ts';
import { visiblePart } from '../testing/drift.ts';
import { layoutOf, runningCluster, withRedis } from '../testing/examples.ts';
import { blockersOf, completes, roundsOf, stepsOf } from '../testing/plan-lines.ts';
import { lastOf, layout, running } from '../testing/repair-scenes.ts';

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
