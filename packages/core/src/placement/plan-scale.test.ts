import { describe, expect, test } from 'vitest';
import type { Host } from '../model/host.ts';
import type { Layout } from '../model/layout.ts';
import { countSlots, formatRanges } from '../model/slots.ts';
import type { ClusterSpec, PlacementSpec } from '../model/spec.ts';
import type { LayoutPlan, LayoutRequest } from './plan-layout.ts';
import { planLayout } from './plan-layout.ts';
import { exampleHosts, exampleSpec, planNew } from './testing/examples.ts';

type Accepted = Extract<LayoutPlan, { ok: true }>;

function created(spec: ClusterSpec, hosts: readonly Host[]): Layout {
  return accepted(planNew(spec, hosts)).layout;
}

function accepted(plan: LayoutPlan): Accepted {
  if (!plan.ok) throw new Error(plan.refusals.map(({ message }) => message).join('\n'));
  return plan;
}

function scale(
  current: Layout,
  size: Partial<Omit<ClusterSpec, 'placement'>>,
  more: Partial<LayoutRequest> & { readonly placement?: Partial<PlacementSpec> } = {},
): LayoutPlan {
  const { placement = {}, ...fields } = more;
  const shards = current.shards.length;
  const replicas = current.nodes.length / shards - 1;
  return planLayout({
    spec: exampleSpec({ shards, replicas, ...size }, placement),
    hosts: exampleHosts(3),
    current,
    clusterId: 'id',
    number: 2,
    ...fields,
  });
}

function show({ shards, nodes }: Layout): string[] {
  return shards.map(({ id, slots }) => {
    const members = nodes.filter((node) => node.shard === id);
    const keys = members.map((node) => node.key + (node.preferredRole === 'master' ? '*' : ''));
    return `${id} ${keys.join(' ')} ${countSlots(slots)}`;
  });
}

describe('more shards', () => {
  const three = created(exampleSpec(), exampleHosts(3));

  test('a fourth on three hosts breaks the majority: refused with what would hold', () => {
    const plan = scale(three, { shards: 4 });
    expect(plan.ok).toBe(false);
    if (plan.ok) return;
    expect(plan.refusals.map(({ rule }) => rule)).toEqual(['quorum-per-host']);
    expect(plan.alternatives).toEqual([
      '1 more host like h1 (4 in all)',
      '5 shards',
      '--allow-weak-quorum',
    ]);
    expect(plan.refusals[0]?.remedy).toBe(
      'What would work: 1 more host like h1 (4 in all); or 5 shards; or --allow-weak-quorum.',
    );
  });

  test('the risk accepted, it is done: equal parts of all masters, and nothing else is moved', () => {
    const plan = accepted(scale(three, { shards: 4 }, { placement: { allowWeakQuorum: true } }));
    const { layout } = plan;
    expect(show(layout)).toMatchInlineSnapshot(`
      [
        "s1 h1:6379* h2:6380 4096",
        "s2 h2:6379* h3:6380 4096",
        "s3 h3:6379* h1:6380 4096",
        "s4 h1:6381* h3:6381 4096",
      ]
    `);
    expect(layout.nodes.slice(0, 6)).toEqual(three.nodes);
    expect(layout.shards.map(({ slots }) => formatRanges(slots))).toMatchInlineSnapshot(`
      [
        "0-4095",
        "6827-10922",
        "10923-15018",
        "4096-6826 15019-16383",
      ]
    `);
    expect(plan.findings.map(({ rule }) => rule)).toMatchInlineSnapshot(`
      [
        "quorum-per-host",
        "memory-not-checked",
      ]
    `);
  });

  test('on a fourth host', () => {
    const plan = accepted(scale(three, { shards: 4 }, { hosts: exampleHosts(4) }));
    expect(show(plan.layout)).toMatchInlineSnapshot(`
      [
        "s1 h1:6379* h2:6380 4096",
        "s2 h2:6379* h3:6380 4096",
        "s3 h3:6379* h1:6380 4096",
        "s4 h4:6379* h1:6381 4096",
      ]
    `);
  });

  test('five on three hosts', () => {
    const plan = accepted(scale(three, { shards: 5 }));
    expect(show(plan.layout)).toMatchInlineSnapshot(`
      [
        "s1 h1:6379* h2:6380 3277",
        "s2 h2:6379* h3:6380 3277",
        "s3 h3:6379* h1:6380 3277",
        "s4 h1:6381* h3:6381 3277",
        "s5 h2:6381* h3:6382 3276",
      ]
    `);
    expect(plan.findings).toMatchInlineSnapshot(`
      [
        {
          "evidence": [],
          "message": "The spec sets no maxmemory, so whether the nodes fit into memory is not checked.",
          "remedy": "Set maxmemory in the spec.",
          "rule": "memory-not-checked",
          "severity": "info",
          "subject": "shop",
        },
      ]
    `);
  });

  test('back to three', () => {
    const five = accepted(scale(three, { shards: 5 })).layout;
    const plan = accepted(scale(five, { shards: 3 }));
    expect(show(plan.layout)).toMatchInlineSnapshot(`
      [
        "s1 h1:6379* h2:6380 5462",
        "s2 h2:6379* h3:6380 5461",
        "s3 h3:6379* h1:6380 5461",
      ]
    `);
    expect(plan.findings).toMatchInlineSnapshot(`
      [
        {
          "evidence": [
            "s4: 3277 slots",
            "h1:6381 (s4 master)",
            "h3:6381 (s4 replica)",
            "s5: 3276 slots",
            "h2:6381 (s5 master)",
            "h3:6382 (s5 replica)",
          ],
          "message": "Shards s4, s5 will be removed, and 6553 slots moved to the others first: of all choices that keep the rules the one that moves the fewest slots and then stands the loss of a host best, the newest shards first.",
          "remedy": "",
          "rule": "shards-leave",
          "severity": "info",
          "subject": "s4, s5",
        },
        {
          "evidence": [],
          "message": "The spec sets no maxmemory, so whether the nodes fit into memory is not checked.",
          "remedy": "Set maxmemory in the spec.",
          "rule": "memory-not-checked",
          "severity": "info",
          "subject": "shop",
        },
      ]
    `);
    const again = accepted(scale(plan.layout, { shards: 5 }, { usedShardIds: ['s1', 's4', 's5'] }));
    expect(show(again.layout)).toMatchInlineSnapshot(`
      [
        "s1 h1:6379* h2:6380 3277",
        "s2 h2:6379* h3:6380 3277",
        "s3 h3:6379* h1:6380 3277",
        "s6 h1:6381* h3:6381 3277",
        "s7 h2:6381* h3:6382 3276",
      ]
    `);
  });

  test('two replicas', () => {
    const plan = accepted(scale(three, { replicas: 2 }));
    expect(show(plan.layout)).toMatchInlineSnapshot(`
      [
        "s1 h1:6379* h2:6380 h3:6381 5461",
        "s2 h2:6379* h3:6380 h1:6381 5462",
        "s3 h3:6379* h1:6380 h2:6381 5461",
      ]
    `);
    expect(plan.findings).toMatchInlineSnapshot(`
      [
        {
          "evidence": [],
          "message": "The spec sets no maxmemory, so whether the nodes fit into memory is not checked.",
          "remedy": "Set maxmemory in the spec.",
          "rule": "memory-not-checked",
          "severity": "info",
          "subject": "shop",
        },
      ]
    `);
    const back = accepted(scale(plan.layout, { replicas: 1 }));
    expect(show(back.layout)).toMatchInlineSnapshot(`
      [
        "s1 h1:6379* h2:6380 5461",
        "s2 h2:6379* h3:6380 5462",
        "s3 h3:6379* h1:6380 5461",
      ]
    `);
    expect(back.findings).toMatchInlineSnapshot(`
      [
        {
          "evidence": [
            "h3:6381 (s1 replica)",
            "h1:6381 (s2 replica)",
            "h2:6381 (s3 replica)",
          ],
          "message": "3 replicas will be removed: those without which the cluster stands the loss of a host best, lost ones first.",
          "remedy": "",
          "rule": "replicas-leave",
          "severity": "info",
          "subject": "shop",
        },
        {
          "evidence": [],
          "message": "The spec sets no maxmemory, so whether the nodes fit into memory is not checked.",
          "remedy": "Set maxmemory in the spec.",
          "rule": "memory-not-checked",
          "severity": "info",
          "subject": "shop",
        },
      ]
    `);
  });
});
