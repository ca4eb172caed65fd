/** Rules about the layout by itself: shards, slots, roles, names and epochs belong together. */
import type { Finding } from '../model/finding.ts';
import type { Layout, LayoutNode } from '../model/layout.ts';
import { busPortOf, nodeKey } from '../model/layout.ts';
import { SLOT_COUNT } from '../model/slots.ts';

type Rule = (layout: Layout) => Finding[];

const RULES: readonly Rule[] = [
  lintSlots,
  lintShardNames,
  lintMasters,
  lintReplicaCounts,
  lintNodeNames,
  lintConfigEpochs,
];

export function lintForm(layout: Layout): Finding[] {
  return RULES.flatMap((rule) => rule(layout));
}

/** Every slot belongs to exactly one shard: a gap or an overlap stops the cluster. */
function lintSlots(layout: Layout): Finding[] {
  const owners = new Uint16Array(SLOT_COUNT);
  const findings: Finding[] = [];
  for (const shard of layout.shards) {
    for (const { start, end } of shard.slots) {
      const valid = Number.isInteger(start) && Number.isInteger(end);
      if (!valid || start < 0 || end >= SLOT_COUNT || start > end) {
        findings.push(
          broken('slots-valid', shard.id, `Shard ${shard.id} has slots ${start}-${end}.`),
        );
        continue;
      }
      for (let slot = start; slot <= end; slot += 1) owners[slot] = (owners[slot] ?? 0) + 1;
    }
  }
  if (layout.shards.length === 0) return findings;
  const without = owners.indexOf(0);
  const shared = owners.findIndex((count) => count > 1);
  if (without >= 0) {
    findings.push(broken('slots-covered', layout.cluster, `Slot ${without} has no shard.`));
  }
  if (shared >= 0) {
    const message = `Slot ${shared} belongs to ${ownersOf(layout, shared).join(' and ')}.`;
    findings.push(broken('slots-owned-once', layout.cluster, message));
  }
  return findings;
}

function ownersOf(layout: Layout, slot: number): string[] {
  return layout.shards.flatMap(({ id, slots }) =>
    slots.filter(({ start, end }) => start <= slot && slot <= end).map(() => id),
  );
}

function lintShardNames(layout: Layout): Finding[] {
  const ids = layout.shards.map((shard) => shard.id);
  const twice = ids.filter((id, index) => ids.indexOf(id) !== index);
  const strangers = layout.nodes.filter((node) => !ids.includes(node.shard));
  return [
    ...twice.map((id) => broken('shard-once', id, `Shard ${id} is listed twice.`)),
    ...strangers.map((node) =>
      broken('shard-known', node.key, `Node ${node.key} is of unknown shard ${node.shard}.`),
    ),
  ];
}

/** Slots are given to the one preferred master of each shard. */
function lintMasters(layout: Layout): Finding[] {
  const masters = new Map<string, string[]>(layout.shards.map((shard) => [shard.id, []]));
  for (const node of layout.nodes) {
    if (node.preferredRole === 'master') masters.get(node.shard)?.push(node.key);
  }
  return [...masters]
    .filter(([, nodes]) => nodes.length !== 1)
    .map(([shard, nodes]) => ({
      ...broken('one-master', shard, `Shard ${shard} has ${nodes.length} masters instead of one.`),
      evidence: nodes,
    }));
}

/** One shard with fewer replicas than the others is the one that is lost first. */
function lintReplicaCounts(layout: Layout): Finding[] {
  const sizes = new Map<string, number>(layout.shards.map((shard) => [shard.id, 0]));
  for (const { shard } of layout.nodes) sizes.set(shard, (sizes.get(shard) ?? 0) + 1);
  const most = Math.max(0, ...sizes.values());
  return [...sizes]
    .filter(([, size]) => size < most)
    .map(([shard, size]) => ({
      rule: 'replicas-equal',
      severity: 'warning',
      subject: shard,
      message: `Shard ${shard} has ${size} members while others have ${most}.`,
      evidence: [],
      remedy: 'Give every shard the same number of replicas.',
    }));
}

function lintNodeNames(layout: Layout): Finding[] {
  const seen = new Set<string>();
  return layout.nodes.flatMap((node) => {
    const findings = nameFindings(node);
    if (seen.has(node.key)) {
      findings.push(broken('node-once', node.key, `Node ${node.key} is listed twice.`));
    }
    seen.add(node.key);
    return findings;
  });
}

function nameFindings(node: LayoutNode): Finding[] {
  const findings: Finding[] = [];
  if (node.key !== nodeKey(node.host, node.port)) {
    const message = `Node ${node.key} is on ${node.host} port ${node.port}.`;
    findings.push(broken('node-key', node.key, message));
  }
  if (node.busPort !== busPortOf(node.port)) {
    const message = `Node ${node.key} has bus port ${node.busPort} instead of port + 10000.`;
    findings.push(broken('bus-port', node.key, message));
  }
  return findings;
}

/** Masters with equal epochs could both claim a slot until Redis has told them apart. */
function lintConfigEpochs(layout: Layout): Finding[] {
  const seen = new Map<number, string>();
  return layout.nodes.flatMap((node) => {
    const { key, configEpoch, preferredRole } = node;
    if (preferredRole === 'replica') {
      if (configEpoch === 0) return [];
      return [broken('replica-epoch', key, `Replica ${key} has config epoch ${configEpoch}.`)];
    }
    const other = seen.get(configEpoch);
    seen.set(configEpoch, key);
    if (!Number.isInteger(configEpoch) || configEpoch < 1) {
      return [broken('epoch-valid', key, `Master ${key} has config epoch ${configEpoch}.`)];
    }
    if (other === undefined) return [];
    const message = `Masters ${other} and ${key} have the same config epoch ${configEpoch}.`;
    return [broken('epochs-distinct', key, message)];
  });
}

/** A layout of this form is never the operator's doing, so there is nothing they could repair. */
function broken(rule: string, subject: string, message: string): Finding {
  return { rule, severity: 'critical', subject, message, evidence: [], remedy: '' };
}
