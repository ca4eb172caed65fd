/**
 * Maintenance: which hosts' nodes shall be stopped.
 *
 * A drain is refused where it would take slots or the majority away, by what is seen now; what the
 * layout alone says against it is in `lint-drained.ts`.
 */
import { drawPicture, listSome, type Picture } from '../../examination/picture.ts';
import { actualShards, isInSync, type ActualShard } from '../../examination/roles.ts';
import type { Finding } from '../../model/finding.ts';
import type { Layout, LayoutNode } from '../../model/layout.ts';
import { maxMastersPerDomain } from '../domains.ts';
import { effectiveRoles } from '../effective-roles.ts';
import {
  accepted,
  critical,
  findHost,
  mistaken,
  refused,
  unknownHost,
  type Draft,
  type HostChangeRequest,
} from './host-change-request.ts';

export function draftDrain(request: HostChangeRequest): Draft {
  const { layout } = request;
  const { host } = request.change;
  const found = findHost(request, host);
  if (found === undefined) return unknownHost(request, host);
  if (layout.drainedHosts.includes(host)) return alreadyDrained(layout, host);
  if (found.status !== 'online') return notOnline(host, found.status);
  const next = { ...layout, drainedHosts: [...layout.drainedHosts, host] };
  const picture = drawPicture({ ...request, now: 0 });
  const refusals = [
    ...findBereftShards(picture, next, host),
    ...findLostMajority(picture),
    ...findGatheredMasters(request, next),
  ];
  return refusals.length === 0 ? accepted(next) : refused(refusals);
}

export function draftUndrain(request: HostChangeRequest): Draft {
  const { layout } = request;
  const { host } = request.change;
  if (!layout.drainedHosts.includes(host)) {
    return mistaken({
      rule: 'host-not-drained',
      subject: host,
      message: `Host ${host} is not drained in cluster ${layout.cluster}.`,
      remedy: `Nothing is to be done; see redrover cluster check ${layout.cluster}.`,
    });
  }
  return accepted({
    ...layout,
    drainedHosts: layout.drainedHosts.filter((name) => name !== host),
  });
}

function alreadyDrained(layout: Layout, host: string): Draft {
  return mistaken({
    rule: 'host-already-drained',
    subject: host,
    message: `Host ${host} is drained in cluster ${layout.cluster} already.`,
    remedy:
      `If that was cut short, finish it: redrover cluster repair ${layout.cluster}. To end it: ` +
      `redrover host undrain ${host}.`,
  });
}

function notOnline(host: string, status: string): Draft {
  return refused([
    critical({
      rule: 'host-online',
      subject: host,
      message: `Host ${host} is ${status}: its agent cannot hand off masters, nor stop nodes.`,
      evidence: [],
      remedy:
        `Bring its agent back (redrover host show ${host}), or give its nodes another place: ` +
        `redrover host replace ${host} --with <host>.`,
    }),
  ]);
}

/** Every shard needs a member elsewhere that runs, and that has all data if the master goes. */
function findBereftShards(picture: Picture, next: Layout, host: string): Finding[] {
  const drained = new Set(next.drainedHosts);
  return actualShards(picture).flatMap((actual) => {
    const { shard, masters, replicas } = actual;
    const members = next.nodes.filter((node) => node.shard === shard.id);
    const staying = members.filter((node) => !drained.has(node.host));
    // Without any, lintLayout refuses.
    if (staying.length === 0 || !members.some((node) => node.host === host)) return [];
    if (masters.length === 0) return [withoutMaster(picture, actual, members)];
    const stays = masters.some(({ node }) => !drained.has(node.host));
    const successors = replicas.filter(
      (replica) => !drained.has(replica.node.host) && isInSync(replica),
    );
    if (stays || successors.length > 0) return [];
    return [withoutSuccessor(picture, actual, staying)];
  });
}

function withoutMaster(
  picture: Picture,
  { shard }: ActualShard,
  members: readonly LayoutNode[],
): Finding {
  return critical({
    rule: 'drain-without-master',
    subject: shard.id,
    message: `Shard ${shard.id} has no master that runs: nothing of it may be stopped now.`,
    evidence: members.map((node) => stateOf(picture, node)),
    remedy: `Repair it first: redrover cluster repair ${picture.layout.cluster}.`,
  });
}

function withoutSuccessor(
  picture: Picture,
  { shard, masters }: ActualShard,
  staying: readonly LayoutNode[],
): Finding {
  const master = masters[0]?.node.key ?? '';
  return critical({
    rule: 'drain-without-replica-in-sync',
    subject: shard.id,
    message: `No replica of ${shard.id} elsewhere is in sync with its master ${master}.`,
    evidence: staying.map((node) => stateOf(picture, node)),
    remedy:
      'Wait until one is in sync, or bring its host back; ' +
      `see redrover cluster check ${picture.layout.cluster}.`,
  });
}

function stateOf({ observation, speakers }: Picture, node: LayoutNode): string {
  const speaker = speakers.find((candidate) => candidate.node === node);
  if (speaker !== undefined) {
    const { role } = speaker.redis;
    return `${node.key}: ${role}${role === 'replica' && !isInSync(speaker) ? ', not in sync' : ''}`;
  }
  const status = observation.hosts[node.host]?.status ?? 'unknown';
  if (status !== 'online') return `${node.key}: host ${node.host} is ${status}`;
  return `${node.key}: ${observation.nodes[node.key]?.process.state ?? 'not reported'}`;
}

/** A handoff is an election, too: without a majority of masters there is none. */
function findLostMajority(picture: Picture): Finding[] {
  const { shards, cluster } = picture.layout;
  const needed = Math.floor(shards.length / 2) + 1;
  const alive = actualShards(picture).filter(({ masters }) => masters.length > 0);
  if (alive.length >= needed) return [];
  return [
    critical({
      rule: 'drain-without-majority',
      subject: cluster,
      message:
        `${alive.length} of ${shards.length} masters run, and ${needed} are needed to vote for ` +
        'a handoff.',
      evidence: shards
        .filter((shard) => !alive.some((other) => other.shard === shard))
        .map((shard) => `no master: ${shard.id}`),
      remedy: `Bring the masters back first; see redrover cluster check ${cluster}.`,
    }),
  ];
}

/**
 * With all hosts there, masters that gather while one is drained are a risk that is told. With
 * another host away as well, they are the second failure in a row, and the third ends the service.
 */
function findGatheredMasters(request: HostChangeRequest, next: Layout): Finding[] {
  const { layout, observation, change } = request;
  const away = [...new Set(layout.nodes.map((node) => node.host))].filter(
    (name) => name !== change.host && isAway(request, name),
  );
  if (away.length === 0 || layout.allowWeakQuorum) return [];
  const without = { ...next, drainedHosts: [...new Set([...next.drainedHosts, ...away])] };
  const roles = effectiveRoles(without);
  const masters = layout.nodes.filter((node) => roles.get(node.key) === 'master');
  const limit = maxMastersPerDomain(layout.shards.length);
  return [...Map.groupBy(masters, (node) => node.host)]
    .filter(([, nodes]) => nodes.length > limit)
    .map(([name, nodes]) =>
      critical({
        rule: 'drain-gathers-masters',
        subject: name,
        message:
          `With ${listSome(away)} away and ${change.host} drained, host ${name} would hold ` +
          `${nodes.length} of ${layout.shards.length} masters: losing it would stop the cluster.`,
        evidence: away.map((host) =>
          layout.drainedHosts.includes(host)
            ? `${host} is drained`
            : `${host} is ${observation.hosts[host]?.status ?? 'unknown'}`,
        ),
        remedy: 'Bring these hosts back first (redrover host undrain for a drained one).',
      }),
    );
}

function isAway({ layout, observation }: HostChangeRequest, host: string): boolean {
  return layout.drainedHosts.includes(host) || observation.hosts[host]?.status !== 'online';
}
