/** The nodes of a host get other hosts: on purpose (`drain --move`), or because theirs is lost. */
import { drawPicture } from '../../examination/picture.ts';
import { actualShards } from '../../examination/roles.ts';
import type { Finding } from '../../model/finding.ts';
import type { Host } from '../../model/host.ts';
import type { Layout } from '../../model/layout.ts';
import { zoneOf } from '../failure-zones.ts';
import { isAcceptable, lintLayout } from '../lint-layout.ts';
import {
  accepted,
  critical,
  findHost,
  nodesOn,
  refused,
  unknownHost,
  type Draft,
  type HostChangeRequest,
} from './host-change-request.ts';
import { placeAnew, roomOn } from './place-anew.ts';

export function draftMove(request: HostChangeRequest): Draft {
  const { host } = request.change;
  const found = findHost(request, host);
  if (found === undefined) return unknownHost(request, host);
  if (found.status !== 'online') {
    return refused([
      critical({
        rule: 'host-online',
        subject: host,
        message: `Host ${host} is ${found.status}: its nodes cannot hand anything over.`,
        evidence: [],
        remedy:
          `Bring its agent back (redrover host show ${host}), or when it is lost for good: ` +
          `redrover host replace ${host} --with <host>.`,
      }),
    ]);
  }
  const sources = findMissingSources(request);
  if (sources.length > 0) return refused(sources);
  const targets = request.hosts.filter((target) => whyNot(request, target) === undefined);
  if (targets.length > 0) return draftOn(request, targets);
  return refused([
    critical({
      rule: 'no-other-host',
      subject: host,
      message: `No other host can take a node of ${host}.`,
      evidence: request.hosts.flatMap((target) => {
        const reason = target.name === host ? undefined : whyNot(request, target);
        return reason === undefined ? [] : [`${target.name} ${reason}`];
      }),
      remedy: 'Start an agent on another host.',
    }),
  ]);
}

export function draftReplace(request: HostChangeRequest, withName: string): Draft {
  const { layout, change } = request;
  const { host } = change;
  const found = findHost(request, host);
  // A host that was removed may still have nodes in the layout: then it is to be replaced indeed.
  if (found === undefined && nodesOn(layout, host).length === 0) return unknownHost(request, host);
  const target = findHost(request, withName);
  // Hosts that would do are worth naming, whatever was wrong with the name.
  if (target === undefined) return { ...unknownHost(request, withName), searchable: true };
  if (host === withName) return refused([withItself(layout, host)]);
  const refusals = [
    ...findStillThere(request, host),
    ...findMissingSources(request),
    ...findUnfit(request, target),
  ];
  return refusals.length > 0 ? refused(refusals) : draftOn(request, [target]);
}

function withItself({ cluster }: Layout, host: string): Finding {
  return critical({
    rule: 'replace-with-itself',
    subject: host,
    message: `Host ${host} cannot be replaced with itself.`,
    evidence: [],
    remedy: `To make its nodes anew where they are: redrover cluster repair ${cluster}.`,
  });
}

/** Zones count only where all hosts have one: a host without would waive them. */
function draftOn(request: HostChangeRequest, targets: readonly Host[]): Draft {
  const label = request.layout.zoneLabel;
  const labelled = targets.filter((host) => zoneOf(host, label) !== undefined);
  const pools = labelled.length === 0 ? [targets] : [labelled, targets];
  const layouts = pools.flatMap((pool) => placeAnew(request, pool) ?? []);
  const layout =
    layouts.find((each) => isAcceptable(lintLayout(each, request.hosts))) ?? layouts[0];
  if (layout !== undefined) return accepted(layout);
  const count = nodesOn(request.layout, request.change.host).length;
  return refused([
    critical({
      rule: 'no-room',
      subject: request.change.host,
      message: `The ${count} nodes of ${request.change.host} do not all find room elsewhere.`,
      evidence: targets.map((target) => `${target.name}: ${describeRoom(request, target)}`),
      remedy: 'Use hosts with more memory or more free ports, or start agents on more hosts.',
    }),
  ]);
}

function describeRoom(request: HostChangeRequest, target: Host): string {
  const room = roomOn(request, target);
  return Number.isFinite(room) ? `memory for ${Math.max(0, room)} nodes more` : 'memory unchecked';
}

/** Two nodes that both take themselves for the same member are what a replacement must not make. */
export function findStillThere(request: HostChangeRequest, name: string): Finding[] {
  const { layout, observation } = request;
  const host = findHost(request, name);
  if (host === undefined || host.status === 'lost') return [];
  const nodes = nodesOn(layout, host.name);
  const present = nodes.filter((node) => observation.nodes[node.key]?.process.state !== 'absent');
  if (host.status === 'online' && present.length === 0) return [];
  return [
    critical({
      rule: 'host-not-lost',
      subject: host.name,
      message: `Host ${host.name} is ${host.status}, not lost.`,
      evidence: present.map((node) => `node ${node.key}`),
      remedy:
        host.status === 'online'
          ? `Move its nodes while they run: redrover host drain ${host.name} --move.`
          : `Wait until it is online again, or lost: redrover host show ${host.name}.`,
    }),
  ];
}

/** A node that is made anew copies the data of its shard from the master. */
function findMissingSources(request: HostChangeRequest): Finding[] {
  const { layout, change } = request;
  const shards = new Set(nodesOn(layout, change.host).map((node) => node.shard));
  return actualShards(drawPicture({ ...request, now: 0 }))
    .filter(({ shard, masters }) => shards.has(shard.id) && masters.length === 0)
    .map(({ shard }) =>
      critical({
        rule: 'no-data-to-copy',
        subject: shard.id,
        message: `No master of ${shard.id} runs that a new node could copy the data from.`,
        evidence: layout.nodes
          .filter((node) => node.shard === shard.id)
          .map((node) => `member ${node.key}`),
        remedy:
          'Bring a member of the shard back first: what it holds may be the only copy. See ' +
          `redrover cluster check ${layout.cluster}.`,
      }),
    );
}

function findUnfit(request: HostChangeRequest, target: Host): Finding[] {
  const count = nodesOn(request.layout, request.change.host).length;
  const reason = whyNot({ ...request, spec: withAnyHost(request) }, target, count);
  if (reason === undefined) return [];
  return [
    critical({
      rule: 'host-not-fit',
      subject: target.name,
      message: `Host ${target.name} ${reason}.`,
      evidence: [],
      remedy: `See redrover host show ${target.name}, or name another host.`,
    }),
  ];
}

/** A host that a person names outweighs the list in the spec. */
function withAnyHost({ spec }: HostChangeRequest): HostChangeRequest['spec'] {
  return { ...spec, placement: { ...spec.placement, hosts: [] } };
}

/** Why a host cannot take `count` nodes more; undefined when it can. */
function whyNot(request: HostChangeRequest, target: Host, count = 1): string | undefined {
  const { layout, spec, change } = request;
  const allowed = spec.placement.hosts;
  if (target.name === change.host) return 'is the host itself';
  if (allowed.length > 0 && !allowed.includes(target.name)) return 'is not in the spec';
  if (target.status !== 'online') return `is ${target.status}`;
  if (layout.drainedHosts.includes(target.name)) return 'is drained';
  if (target.facts === undefined || target.facts.platform === '') {
    return 'has not told its platform yet';
  }
  const room = roomOn(request, target);
  if (room < count) return `has memory for ${Math.max(0, room)} nodes more, not for ${count}`;
  return undefined;
}
