/**
 * Shards whose slots nobody serves: which slots, who had them last, what became of every member, and
 * what would bring them back. Only the last master has every write; the remedy names it first.
 */
import type { Finding } from '../model/finding.ts';
import type { LayoutNode, LayoutShard } from '../model/layout.ts';
import type { ViewNode } from '../model/observation.ts';
import { countSlots, formatRanges } from '../model/slots.ts';
import { subtractSlots } from '../planning/shards.ts';
import { layoutNodeOf, listSome, type Picture } from './picture.ts';
import { actualShards } from './roles.ts';

export function findMasterlessShards(picture: Picture): Finding[] {
  if (picture.speakers.length === 0) return [];
  return actualShards(picture)
    .filter(({ masters, isEmpty }) => masters.length === 0 && !isEmpty)
    .map(({ shard }) => describeLoss(picture, shard));
}

function describeLoss(picture: Picture, shard: LayoutShard): Finding {
  const slots = `Slots ${formatRanges(shard.slots)} of shard ${shard.id}`;
  const members = picture.layout.nodes.filter((node) => node.shard === shard.id);
  const owner = lastOwner(picture, shard);
  const ownerNode = owner === undefined ? undefined : layoutNodeOf(picture, owner);
  const isFailed = owner === undefined || owner.flags.some((flag) => flag.startsWith('fail'));
  return {
    rule: 'shard-without-master',
    // While its peers see it alive, it may well serve: then only Redrover cannot ask it.
    severity: isFailed ? 'critical' : 'warning',
    subject: shard.id,
    message: isFailed
      ? `${slots} (${countSlots(shard.slots)}) are served by nobody.`
      : `${slots} belong to ${ownerNode?.key ?? owner.nodeId} by the word of others; it cannot be asked.`,
    evidence: members.map((node) => {
      const past = node === ownerNode ? 'their last master' : 'not their last master';
      return `${node.key}, ${past}: ${describeState(picture, node)}`;
    }),
    remedy: isFailed ? adviseOn(picture, members, ownerNode) : adviseOnHost(ownerNode),
  };
}

/** Whoever has most of the shard's slots in the view of most nodes; failed or not. */
function lastOwner({ opinions }: Picture, shard: LayoutShard): ViewNode | undefined {
  const shared = (entry: ViewNode): number =>
    countSlots(shard.slots) - countSlots(subtractSlots(shard.slots, entry.slots));
  for (const { nodes } of opinions) {
    const [first] = nodes.toSorted((a, b) => shared(b) - shared(a));
    if (first !== undefined && shared(first) > 0) return first;
  }
  return undefined;
}

/** What is known of the node itself and of its host, then what its peers say. */
export function describeState(picture: Picture, node: LayoutNode): string {
  const own = describeOwnState(picture, node);
  const accusers = picture.opinions
    .filter(({ nodes }) =>
      nodes.some((entry) => entry.flags.includes('fail') && layoutNodeOf(picture, entry) === node),
    )
    .flatMap(({ holders }) => holders);
  if (accusers.length === 0) return own;
  return `${own}; failed in the view of ${listSome(accusers)}`;
}

function describeOwnState({ observation, now }: Picture, node: LayoutNode): string {
  const host = observation.hosts[node.host];
  if (host === undefined) return `no agent of host ${node.host} is enrolled`;
  if (host.status !== 'online') {
    const seconds = Math.round((now - host.lastSeenMs) / 1000);
    return `host ${node.host} is ${host.status}, not heard of for ${seconds} s`;
  }
  const seen = observation.nodes[node.key];
  if (seen === undefined) return `not reported by host ${node.host}`;
  const { state, reason } = seen.process;
  if (state !== 'running') return reason === '' ? state : `${state}: ${reason}`;
  if (seen.redis === undefined) return 'runs, but nothing could be read from it';
  return seen.redis.role === 'replica' ? 'runs as a replica' : 'runs without these slots';
}

function adviseOn(
  picture: Picture,
  members: readonly LayoutNode[],
  owner: LayoutNode | undefined,
): string {
  const { speakers } = picture;
  const isMember = new Set(members);
  const heirs = speakers
    .filter(({ node, redis }) => isMember.has(node) && redis.role === 'replica')
    .map(({ node }) => node.key);
  const returning =
    owner === undefined
      ? 'Bring the members of the shard back; the one that was its master last has every write.'
      : `Bring ${owner.key} back first, it has every write. ${adviseOnState(picture, owner)}`;
  if (heirs.length > 0) return `${adviseOnElection(picture, listSome(heirs))} ${returning}`;
  const others = members.filter((node) => node !== owner).map((node) => node.key);
  if (owner === undefined || others.length === 0) return returning;
  return `${returning} ${listSome(others)} alone would not do: it lacks what was written since.`;
}

/**
 * Redis promotes a replica by itself, if a majority can vote and the replica followed its master to the
 * end; the latter cannot be seen here (Redis Cluster specification, "Replica election and promotion").
 */
function adviseOnElection({ opinions }: Picture, heirs: string): string {
  const masters = (opinions[0]?.nodes ?? []).filter((entry) => entry.slots.length > 0);
  const voters = masters.filter((entry) => !entry.flags.some((flag) => flag.startsWith('fail')));
  const needed = Math.floor(masters.length / 2) + 1;
  const vote = `${voters.length} of ${masters.length} masters can vote`;
  return voters.length >= needed
    ? `Wait some seconds: ${heirs} takes over if it followed its master to the end, as ${vote}. If not:`
    : `${heirs} cannot take over, as only ${vote} and ${needed} are needed: bring the other masters back.`;
}

export function adviseOnState({ observation, layout }: Picture, owner: LayoutNode): string {
  if (observation.hosts[owner.host]?.status !== 'online') return adviseOnHost(owner);
  switch (observation.nodes[owner.key]?.process.state) {
    case 'starting':
    case 'backoff':
      return 'Its agent is starting it.';
    case 'stopped':
      return `Let it be started: redrover cluster repair ${layout.cluster}.`;
    case 'held':
      return (
        'It comes back by itself once another node owns the slots; if none can, and what it lacks is ' +
        `to be given up, run redrover-agent release-node ${owner.port} on ${owner.host}.`
      );
    case 'crash-loop':
      return `Read its redis.log on ${owner.host}; its agent goes on trying.`;
    default:
      return `See what keeps it down: redrover host show ${owner.host}.`;
  }
}

function adviseOnHost(owner: LayoutNode | undefined): string {
  if (owner === undefined) return '';
  return `Start host ${owner.host}, or its agent, which starts the node: redrover host show ${owner.host}.`;
}
