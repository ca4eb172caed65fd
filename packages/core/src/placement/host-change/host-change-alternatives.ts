/**
 * What an operator could do instead of a change that is refused; each is tried before it is told.
 */
import type { HostChange } from '../../model/host-change.ts';
import { compareNames } from '../candidate-hosts.ts';
import { findStillThere } from './move.ts';
import { nodesOn, type HostChangeRequest } from './host-change-request.ts';

/** A few are enough to choose from. */
const MAX_HOSTS_NAMED = 3;

/** Each try plans a layout: with many hosts, an answer is worth more than all answers. */
const MAX_HOSTS_TRIED = 12;

/** More hosts than that are no longer near to what was asked for. */
const MAX_ADDED_HOSTS = 3;

type Works = (request: HostChangeRequest) => boolean;

/** Worded so that they can follow "What would work:". */
export function findHostChangeAlternatives(request: HostChangeRequest, works: Works): string[] {
  const { change } = request;
  const { host } = change;
  const tryChange = (other: HostChange, says: string) =>
    works({ ...request, change: other }) ? [says] : [];
  switch (change.kind) {
    case 'drain':
      return [
        ...tryChange({ kind: 'drainMove', host }, `redrover host drain ${host} --move`),
        ...otherHosts(request, works),
      ];
    case 'drainMove':
      return [
        ...tryChange({ kind: 'drain', host }, `redrover host drain ${host} (nodes stay, stopped)`),
        ...moreHosts(request, works),
        ...otherHosts(request, works),
      ];
    case 'replace':
      return [
        ...tryChange({ kind: 'drainMove', host }, `redrover host drain ${host} --move`),
        ...otherHosts(request, works),
      ];
    case 'undrain':
    case 'readdress':
      return [];
  }
}

/** Only hosts that are lost are replaced; of others the reason is the same for all successors. */
function otherHosts(request: HostChangeRequest, works: Works): string[] {
  const { host } = request.change;
  if (findStillThere(request, host).length > 0) return [];
  // Hosts that carry nothing yet first: there the nodes weigh least.
  const countOn = (name: string) => nodesOn(request.layout, name).length;
  const refused = request.change.kind === 'replace' ? request.change.with : host;
  return request.hosts
    .map(({ name }) => name)
    .filter((name) => name !== host && name !== refused)
    .sort((a, b) => countOn(a) - countOn(b) || compareNames(a, b))
    .slice(0, MAX_HOSTS_TRIED)
    .filter((name) => works({ ...request, change: { kind: 'replace', host, with: name } }))
    .slice(0, MAX_HOSTS_NAMED)
    .map((name) => `redrover host replace ${host} --with ${name}`);
}

/** Hosts like one that carries nodes already, with nothing else on them. */
function moreHosts(request: HostChangeRequest, works: Works): string[] {
  const { hosts, layout, change, spec } = request;
  const like = hosts.find(
    ({ name, status }) =>
      name !== change.host && status === 'online' && nodesOn(layout, name).length > 0,
  );
  if (like === undefined) return [];
  const added = [];
  const named = [...spec.placement.hosts];
  for (let count = 1; count <= MAX_ADDED_HOSTS; count += 1) {
    const name = unusedName(request, count);
    added.push({ ...like, name, address: name, usedPorts: [], reservedBytes: 0 });
    if (named.length > 0) named.push(name);
    const placement = { ...spec.placement, hosts: named };
    if (works({ ...request, hosts: [...hosts, ...added], spec: { ...spec, placement } })) {
      return [`${count} more host${count === 1 ? '' : 's'} like ${like.name}`];
    }
  }
  return [];
}

function unusedName({ hosts }: HostChangeRequest, count: number): string {
  const longest = Math.max(...hosts.map(({ name }) => name.length));
  return `new-${count}`.padEnd(longest + 1, '-');
}
