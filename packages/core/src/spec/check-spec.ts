/**
 * What must hold between the fields of a spec: the quorum that its number of shards gives, and
 * pinned nodes that can form the shards. One small function for each rule.
 */
import { busPortOf } from '../model/layout.ts';
import type { ClusterSpec, PinnedNode } from '../model/spec.ts';
import type { SpecProblem } from './spec-problem.ts';

/** Redis Cluster needs the majority of masters to agree on a failover. */
const MIN_SHARDS = 3;

/** What the Redis Cluster specification is made for; planning grows with the square of it. */
const MAX_NODES = 1000;

type Rule = (spec: ClusterSpec) => SpecProblem[];

const RULES: readonly Rule[] = [
  checkQuorum,
  checkSize,
  checkHostsOnce,
  checkPinnedCount,
  checkPinnedHosts,
  checkPinnedPorts,
  checkPinnedShards,
  checkPinnedRoles,
];

export function checkSpec(spec: ClusterSpec): SpecProblem[] {
  return RULES.flatMap((rule) => rule(spec));
}

function checkQuorum(spec: ClusterSpec): SpecProblem[] {
  if (spec.shards >= MIN_SHARDS || spec.placement.allowWeakQuorum) return [];
  const message =
    `got ${spec.shards}; with fewer than ${MIN_SHARDS} masters no majority is left when one is ` +
    'lost: use 3 or more, or accept the risk with placement.allowWeakQuorum: true';
  return [{ path: ['shards'], message }];
}

function checkSize(spec: ClusterSpec): SpecProblem[] {
  const count = spec.shards * (1 + spec.replicas);
  if (count <= MAX_NODES) return [];
  const message =
    `got ${spec.shards}, which with ${spec.replicas} replicas each are ${count} nodes; a Redis ` +
    `Cluster has at most about ${MAX_NODES}: use fewer shards or replicas`;
  return [{ path: ['shards'], message }];
}

function checkHostsOnce(spec: ClusterSpec): SpecProblem[] {
  const { hosts } = spec.placement;
  return hosts.flatMap((host, index) => {
    if (hosts.indexOf(host) === index) return [];
    const message = `"${host}" is named twice; remove one of the two`;
    return [{ path: ['placement', 'hosts', index], message }];
  });
}

function checkPinnedCount(spec: ClusterSpec): SpecProblem[] {
  const expected = spec.shards * (1 + spec.replicas);
  if (spec.nodes.length === 0 || spec.nodes.length === expected) return [];
  const message =
    `got ${spec.nodes.length}; ${spec.shards} shards with ${spec.replicas} replicas each are ` +
    `${expected} nodes: list all of them, or none to have them placed`;
  return [{ path: ['nodes'], message }];
}

function checkPinnedHosts(spec: ClusterSpec): SpecProblem[] {
  const allowed = new Set(spec.placement.hosts);
  if (allowed.size === 0) return [];
  return spec.nodes.flatMap((node, index) => {
    if (allowed.has(node.host)) return [];
    const message = `"${node.host}" is not among placement.hosts; add it there or use another`;
    return [{ path: ['nodes', index, 'host'], message }];
  });
}

function checkPinnedPorts(spec: ClusterSpec): SpecProblem[] {
  const taken = new Map<string, string>();
  const problems: SpecProblem[] = [];
  for (const [index, node] of spec.nodes.entries()) {
    const claims = [
      { port: node.port, use: `port of nodes[${index}]` },
      { port: busPortOf(node.port), use: `bus port of nodes[${index}]` },
    ];
    const path = ['nodes', index, 'port'];
    const claimed = claims.find((claim) => taken.has(`${node.host}:${claim.port}`));
    if (claimed !== undefined) {
      const other = taken.get(`${node.host}:${claimed.port}`);
      const message = `${node.host}:${claimed.port} is the ${other} already; use another port`;
      problems.push({ path, message });
    }
    for (const claim of claims) {
      const key = `${node.host}:${claim.port}`;
      if (!taken.has(key)) taken.set(key, claim.use);
    }
  }
  return problems;
}

function checkPinnedShards(spec: ClusterSpec): SpecProblem[] {
  const size = 1 + spec.replicas;
  const problems: SpecProblem[] = [];
  const members = new Map<number, PinnedNode[]>();
  for (const [index, node] of spec.nodes.entries()) {
    if (node.shard === undefined) continue;
    const path = ['nodes', index, 'shard'];
    if (node.shard > spec.shards) {
      problems.push({ path, message: `got ${node.shard}; expected 1 to ${spec.shards} (shards)` });
      continue;
    }
    const others = members.get(node.shard) ?? [];
    members.set(node.shard, [...others, node]);
    if (others.length === size) {
      problems.push({
        path,
        message: `shard ${node.shard} has its ${size} nodes already; use another shard`,
      });
    } else if (node.role === 'master' && others.some((other) => other.role === 'master')) {
      const message = `shard ${node.shard} has a master already; make one of the two a replica`;
      problems.push({ path: ['nodes', index, 'role'], message });
    }
  }
  return [...problems, ...shardsWithoutMaster(members, size)];
}

function shardsWithoutMaster(
  members: ReadonlyMap<number, readonly PinnedNode[]>,
  size: number,
): SpecProblem[] {
  return [...members].flatMap(([shard, nodes]) => {
    if (nodes.length < size || nodes.some((node) => node.role !== 'replica')) return [];
    const message = `shard ${shard} has only replicas; give one of its nodes the role master`;
    return [{ path: ['nodes'], message }];
  });
}

function checkPinnedRoles(spec: ClusterSpec): SpecProblem[] {
  const masters = spec.nodes.filter((node) => node.role === 'master').length;
  const replicas = spec.nodes.filter((node) => node.role === 'replica').length;
  const most = { masters: spec.shards, replicas: spec.shards * spec.replicas };
  const problems: SpecProblem[] = [];
  if (masters > most.masters) {
    const message = `${masters} have the role master; ${most.masters} shards have as many masters`;
    problems.push({ path: ['nodes'], message });
  }
  if (spec.nodes.length > 0 && replicas > most.replicas) {
    const message = `${replicas} have the role replica; expected at most ${most.replicas}`;
    problems.push({ path: ['nodes'], message });
  }
  return problems;
}
