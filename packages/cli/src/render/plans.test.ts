import type { HostChange } from '@redrover/core';
import { describe, expect, test } from 'vitest';

import {
  finding,
  handoff,
  layoutOf,
  nodesOf,
  plannedMove,
  planOf,
  start,
  stop,
  view,
} from '../testing/examples.ts';
import { explainAfterwards, explainNothingToDo, renderHostChange } from './host-change-view.ts';
import { compareNodes } from './node-changes.ts';
import { isBlocked, renderPlan, renderRefusal } from './plan-view.ts';
import { renderRepair } from './repair-view.ts';

const layout = layoutOf(['h1:6379 s1 master', 'h2:6379 s1 replica']);
const drifted = nodesOf(layout).map((node) => ({
  ...node,
  role: node.role === 'master' ? ('replica' as const) : ('master' as const),
}));

describe('a repair', () => {
  test('what is wrong, the steps and what stays open are told, each under its name', () => {
    const plan = planOf(layout, {
      kind: 'repair',
      rounds: [[handoff('h1:6379', 'h2:6379')]],
      findings: [finding({ message: 'h3 is lost: its nodes are left as they are' })],
    });
    const changes = compareNodes({ nodes: drifted, next: layout });
    expect(renderRepair({ ...plan, changes, slotChanges: [] }, view).split('\n')).toEqual([
      'shop: repair, towards layout 2, which is in force',
      '',
      'Not as the layout wants it',
      'SHARD  NODE     NOW      SHOULD BE',
      's1     h1:6379  replica  master',
      's1     h2:6379  master   replica',
      '',
      'Steps',
      '   1  make h1:6379 the master of s1 in place of h2:6379',
      '',
      'Left for later',
      'warning  h3: h3 is lost: its nodes are left as they are (host-lost)',
      '',
      '1 step to do.',
    ]);
  });

  test('slots that are not where the layout wants them are told with their moves', () => {
    const sampled = finding({ rule: 'survey-incomplete', severity: 'info', message: 'sampled' });
    const known = finding({
      rule: 'blocking-over-bound',
      severity: 'info',
      message: 'a large key',
    });
    const moves = [plannedMove({ complete: false })];
    const plan = planOf(layout, { kind: 'repair', moves, findings: [sampled, known] });
    const slotChanges = [
      { shard: 's1', now: null, next: { slots: ['0-9'], count: 10 } },
      { shard: 's2', now: { slots: ['0-9'], count: 10 }, next: { slots: [], count: 0 } },
    ];
    const text = renderRepair({ ...plan, changes: [], slotChanges }, view);
    expect(text).toMatch(/^s2 +0-9 \(10\) +none +-10$/m);
    expect(text).toContain('~ sampled, not every key was looked at');
    expect(text).toContain('Good to know, or left for later\ninfo     h3: a large key');
    expect(text).not.toContain('h3: sampled');
  });

  test('one that can do nothing still says what is wrong', () => {
    const plan = planOf(layout, { kind: 'repair', empty: true, findings: [finding({})] });
    const changes = compareNodes({ nodes: drifted, next: layout });
    const text = renderRepair({ ...plan, changes, slotChanges: [] }, view);
    expect(text).toContain('Not to be repaired now');
    expect(text).toMatch(/there is nothing that can be repaired now\.$/);
    expect(text).toContain('h3 is lost');
    expect(text).not.toContain('Steps');
  });
});

test('a repair that something stands in the way of is neither offered nor counted', () => {
  const findings = [finding({ rule: 'no-majority', severity: 'critical', message: 'no majority' })];
  const plan = planOf(layout, { kind: 'repair', findings });
  expect(isBlocked(plan)).toBe(true);
  expect(isBlocked({ ...plan, empty: true })).toBe(false);
  const text = renderRepair({ ...plan, changes: [], slotChanges: [] }, view);
  expect(text).toContain('What stands in the way');
  expect(text).not.toMatch(/Steps|to do/);
});

test('a cluster that is as it shall be needs one line', () => {
  const plan = planOf(layout, { kind: 'repair', empty: true });
  expect(renderRepair({ ...plan, changes: [], slotChanges: [] }, view)).toBe(
    'shop: there is nothing to repair.',
  );
});

test('a plan that only saves the spec says so', () => {
  const saved = finding({ rule: 'spec-saved-only', severity: 'info', subject: 'shop' });
  expect(renderPlan(planOf(layout, { empty: true, findings: [saved] }), view)).toMatch(
    /Only the spec would change\.$/,
  );
  expect(renderPlan(planOf(layout, { empty: true }), view)).toMatch(/Nothing would change\.$/);
});

describe('a change of a host', () => {
  const drain: HostChange = { kind: 'drain', host: 'h1' };

  test('every cluster is told with what becomes of its nodes', () => {
    const plans = ['shop', 'cache'].map((cluster) => {
      const next = { ...layout, cluster, number: 3, drainedHosts: ['h1'] };
      const rounds = [[handoff('h2:6379', 'h1:6379')], [stop('h1:6379')]];
      const changes = compareNodes({ nodes: nodesOf(layout), next });
      return { ...planOf(next, { rounds }), changes };
    });
    const lines = renderHostChange(drain, plans, view).split('\n');
    expect(lines[0]).toMatch(/^Masters on h1 are handed off, then its nodes are stopped\./);
    expect(lines.slice(3, 11)).toEqual([
      'shop: layout 3, 2 steps',
      '',
      'SHARD  NODE     NOW      WILL BE',
      's1     h1:6379  master   stopped',
      's1     h2:6379  replica  master meanwhile',
      '',
      'Steps',
      '   1  make h2:6379 the master of s1 in place of h1:6379',
    ]);
    expect(lines).toContain('cache: layout 3, 2 steps');
  });

  test('a cluster to which nothing happens is named', () => {
    const plans = [
      { ...planOf({ ...layout, cluster: 'cache' }, { empty: true }), changes: [] },
      { ...planOf(layout, { rounds: [[start('h1:6379')]] }), changes: [] },
    ];
    const text = renderHostChange({ kind: 'undrain', host: 'h1' }, plans, view);
    expect(text).toContain('cache: nothing would change.');
    expect(text).toContain('shop: layout 2, 1 step\n');
  });

  test.each<HostChange>([
    drain,
    { kind: 'drainMove', host: 'h1' },
    { kind: 'undrain', host: 'h1' },
    { kind: 'replace', host: 'h1', with: 'h7' },
    { kind: 'readdress', host: 'h1' },
  ])('$kind: that there is nothing to do is said of the host', (change) => {
    expect(explainNothingToDo(change)).toContain('h1');
  });

  test('after a drain the way back is told', () => {
    expect(explainAfterwards(drain)).toContain('redrover host undrain h1');
    const replace = { kind: 'replace', host: 'h1', with: 'h7' } as const;
    expect(explainAfterwards(replace)).toContain('redrover host rm h1');
  });

  test('a refusal gives the reason and what would work', () => {
    const reasons = [finding({ rule: 'quorum-at-risk', severity: 'critical', message: 'no' })];
    const refusal = { reasons, alternatives: ['undrain h2 first'] };
    const text = renderRefusal(refusal, view, 'It is not possible now to drain host h1:');
    expect(text.split('\n')).toEqual([
      'It is not possible now to drain host h1:',
      'critical h3: no (quorum-at-risk)',
      '',
      'What would work:',
      '  - undrain h2 first',
    ]);
  });

  test('without alternatives a refusal names the remedies alone', () => {
    const reasons = [finding({ rule: 'no-host', severity: 'critical', remedy: 'add hosts' })];
    const text = renderRefusal({ reasons, alternatives: [] }, view);
    expect(text).toContain('add hosts');
    expect(text).not.toContain('What would work');
  });
});
