/**
 * Nodes move so that hosts without or with few of them carry their share: the fewest that make the
 * hosts as even as they can be. Masters follow by other preferred roles within their shards.
 */
import { drawPicture } from '../../examination/picture.ts';
import { actualShards } from '../../examination/roles.ts';
import type { Finding } from '../../model/finding.ts';
import type { Host } from '../../model/host.ts';
import type { Layout, LayoutNode } from '../../model/layout.ts';
import { compareNames } from '../candidate-hosts.ts';
import { FreePorts } from '../free-ports.ts';
import { memoryCapacity } from '../host-capacity.ts';
import { lintGrowth } from '../lint-change.ts';
import { isAcceptable } from '../lint-layout.ts';
import { scoreKept } from '../scale/score-kept.ts';
import { balanceRoles } from './balance-roles.ts';
import { chooseMoves, evenCounts, type HostLoad, type NodeMove } from './choose-moves.ts';
import { compareOutcomes, improveMoves, moveTo, type Outcome } from './improve-moves.ts';
import {
  describeNode,
  drafted,
  info,
  plural,
  type ReshardDraft,
  type ReshardRequest,
} from './reshard-request.ts';

/** A move may make room for another, where zones are tight; mostly the first round is the last. */
const MAX_ROUNDS = 8;

export function draftSpread(request: ReshardRequest): ReshardDraft {
  const { layout } = request;
  const settled = settle(request, layout);
  let next = isFit(request, { before: layout, after: settled }) ? settled : layout;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const isStillFit = (after: Layout) =>
      [layout, next].every((before) => isFit(request, { before, after }));
    const moved = moveNodes({ ...request, layout: next }, isStillFit);
    if (moved === undefined) break;
    next = moved;
  }
  const findings = [
    ...tellLeftAside(request, hostLoads(request)),
    ...tellUneven(hostLoads({ ...request, layout: next })),
  ];
  if (next.nodes.every((node, index) => node === layout.nodes[index])) {
    return drafted(layout, [...findings, nothingToDo(layout)]);
  }
  return drafted(next, [...findings, ...tellSpread(layout, next)]);
}

/** All moves that are wanted, or where these break a rule together as many as can be. */
function moveNodes(
  request: ReshardRequest,
  isStillFit: (moved: Layout) => boolean,
): Layout | undefined {
  const { layout, hosts } = request;
  const spreading = { layout, hosts, loads: hostLoads(request) };
  const judge = (moved: Layout) => outcomeOf(request, settle(request, moved));
  const moves = improveMoves(spreading, chooseMoves(spreading), judge);
  if (moves.length === 0) return undefined;
  const all = settle(request, bind(request, moves));
  if (isStillFit(all)) return all;
  let best: Layout | undefined;
  const done: NodeMove[] = [];
  for (const move of moves) {
    const more = settle(request, bind(request, [...done, move]));
    if (!isStillFit(more)) continue;
    best = more;
    done.push(move);
  }
  return best;
}

function isFit(
  { hosts }: ReshardRequest,
  { before, after }: { readonly before: Layout; readonly after: Layout },
): boolean {
  return isAcceptable(lintGrowth(after, { current: before, hosts }));
}

/** Masters change only for something: not where they are as good where they are. */
function settle(request: ReshardRequest, moved: Layout): Layout {
  const usable = new Set(hostsToUse(request).map(({ name }) => name));
  const settled = balanceRoles(moved, { hosts: request.hosts, usable });
  const isBetter = compareOutcomes(outcomeOf(request, settled), outcomeOf(request, moved)) < 0;
  return isBetter ? settled : moved;
}

function outcomeOf({ spec, layout, hosts }: ReshardRequest, moved: Layout): Outcome {
  const { shards, nodes } = moved;
  const changed = nodes.filter(
    ({ preferredRole }, index) => preferredRole !== layout.nodes[index]?.preferredRole,
  );
  const score = scoreKept({ spec, current: layout, hosts }, { shards, nodes });
  return { score, roleChanges: changed.length };
}

function hostsToUse(request: ReshardRequest): Host[] {
  return request.hosts.filter((host) => whyNot(request, host) === undefined);
}

/** Hosts that may give and take nodes, in the order of their names. */
function hostLoads(request: ReshardRequest): HostLoad[] {
  const { layout } = request;
  const ports = new FreePorts({ ...request, observation: request.observation });
  const copyable = shardsWithMaster(request);
  return hostsToUse(request)
    .sort((a, b) => compareNames(a.name, b.name))
    .map((host) => {
      const there = layout.nodes.filter((node) => node.host === host.name);
      const nodes = there.filter((node) => copyable === undefined || copyable.has(node.shard));
      const room = Math.min(
        memoryCapacity(host, layout.maxmemoryBytes),
        layout.allowSameHost ? layout.nodes.length : layout.shards.length,
        there.length + ports.countFree(host, layout.nodes.length),
      );
      return { host, nodes, most: room - (there.length - nodes.length) };
    });
}

/** A node that moves copies the data of its shard from the master. Undefined: not looked at. */
function shardsWithMaster(request: ReshardRequest): ReadonlySet<string> | undefined {
  const { layout, observation } = request;
  if (observation === undefined) return undefined;
  const picture = drawPicture({ layout, observation, hosts: request.hosts, now: 0 });
  return new Set(
    actualShards(picture)
      .filter(({ masters }) => masters.length > 0)
      .map(({ shard }) => shard.id),
  );
}

function whyNot({ layout, spec }: ReshardRequest, host: Host): string | undefined {
  const allowed = spec.placement.hosts;
  if (allowed.length > 0 && !allowed.includes(host.name)) return 'is not in the spec';
  if (host.status !== 'online') return `is ${host.status}`;
  if (layout.drainedHosts.includes(host.name)) return 'is drained';
  if (host.facts === undefined || host.facts.platform === '')
    return 'has not told its platform yet';
  return undefined;
}

/** With ports: a node keeps its own if that is free. */
function bind(request: ReshardRequest, moves: readonly NodeMove[]): Layout {
  const { layout } = request;
  const ports = new FreePorts({ ...request, observation: request.observation });
  const placed = new Map<LayoutNode, LayoutNode>();
  for (const keep of [true, false]) {
    for (const { node, to } of moves) {
      if (placed.has(node) || (keep && !ports.isFree(to, node.port))) continue;
      const port = keep ? node.port : ports.findFree(to);
      if (port === undefined) continue;
      ports.take(to, port);
      placed.set(node, moveTo(node, { host: to, port }));
    }
  }
  return { ...layout, nodes: layout.nodes.map((node) => placed.get(node) ?? node) };
}

function tellSpread(layout: Layout, next: Layout): Finding[] {
  const moved = next.nodes.flatMap((node, index) => {
    const before = layout.nodes[index];
    return before === undefined || before.key === node.key ? [] : [{ before, to: node.host }];
  });
  const promoted = next.nodes.filter(
    (node, index) =>
      node.preferredRole === 'master' && layout.nodes[index]?.preferredRole === 'replica',
  );
  return [
    info({
      rule: 'nodes-spread',
      subject: layout.cluster,
      message:
        `${plural(moved.length, 'node')} will move to ${moved.length === 1 ? 'another host' : 'other hosts'}, and ` +
        `${promoted.length === 0 ? 'no shard' : plural(promoted.length, 'shard')} will get another master; ` +
        'fewer moves would not make it as even.',
      evidence: [
        ...moved.map(({ before, to }) => `${describeNode(before)} to ${to}`),
        ...promoted.map((node) => `${node.key} becomes master of ${node.shard}`),
      ],
      remedy: '',
    }),
  ];
}

function nothingToDo({ cluster }: Layout): Finding {
  return info({
    rule: 'nothing-to-do',
    subject: cluster,
    message: 'Nodes and masters are spread over the hosts as evenly as the rules allow.',
    evidence: [],
    remedy: '',
  });
}

/** Hosts that others expect to carry their share, too. */
function tellLeftAside(request: ReshardRequest, loads: readonly HostLoad[]): Finding[] {
  const aside = request.hosts.filter((host) => loads.every((load) => load.host !== host));
  if (aside.length === 0) return [];
  return [
    info({
      rule: 'host-not-used',
      subject: request.layout.cluster,
      message: `${plural(aside.length, 'host')} neither give nor take nodes.`,
      evidence: aside.map((host) => `${host.name} ${whyNot(request, host)}`),
      remedy: '',
    }),
  ];
}

/** Of hosts after the moves. */
function tellUneven(loads: readonly HostLoad[]): Finding[] {
  const counts = evenCounts(loads);
  const left = loads.reduce(
    (sum, { nodes }, index) => sum + Math.max(0, nodes.length - (counts[index] ?? 0)),
    0,
  );
  if (left === 0) return [];
  return [
    info({
      rule: 'spread-uneven',
      subject: loads.map(({ host }) => host.name).join(', '),
      message:
        `${plural(left, 'node')} more would have to move for an even spread, and cannot without ` +
        'members of a shard coming together.',
      evidence: [],
      remedy: '',
    }),
  ];
}
