/** A host whose address has changed: its nodes bind to the new one and announce it. */
import type { Host } from '../../model/host.ts';
import type { Layout } from '../../model/layout.ts';
import {
  accepted,
  findHost,
  mistaken,
  nodesOn,
  unknownHost,
  type Draft,
  type HostChangeRequest,
} from './host-change-request.ts';

export function draftReaddress(request: HostChangeRequest): Draft {
  const { layout, hosts } = request;
  const name = request.change.host;
  const host = findHost(request, name);
  if (host === undefined) return unknownHost(request, name);
  const { address } = host;
  if (nodesOn(layout, name).every((node) => node.address === address)) {
    return mistaken({
      rule: 'address-unchanged',
      subject: name,
      message: `Host ${name} has the address ${address}, as its nodes in the layout have.`,
      remedy:
        'Nothing is to be done. The address is what the agent of the host was started with ' +
        '(redrover-agent run --address).',
    });
  }
  const other = hosts.find((each) => each.name !== name && each.address === address);
  if (other !== undefined) {
    return mistaken({
      rule: 'address-taken',
      subject: name,
      message: `Hosts ${name} and ${other.name} both say that their address is ${address}.`,
      remedy: `Start the agent of one of them with its own --address; see redrover host ls.`,
    });
  }
  if (!hasAddress(host)) {
    return mistaken({
      rule: 'address-not-there',
      subject: name,
      message:
        `The agent of ${name} was started with the address ${address}, which ${name} does not ` +
        `have (it has ${host.facts?.addresses.join(', ')}): its nodes could not bind to it.`,
      remedy: `Start the agent of ${name} with an --address that it has, then readdress again.`,
    });
  }
  return accepted(withAddress(layout, name, address));
}

/** As far as the host has told; all of 127.0.0.0/8 is there without being any interface's address. */
function hasAddress({ address, facts }: Host): boolean {
  const known = facts?.addresses ?? [];
  return known.length === 0 || address.startsWith('127.') || known.includes(address);
}

function withAddress(layout: Layout, host: string, address: string): Layout {
  const nodes = layout.nodes.map((node) => (node.host === host ? { ...node, address } : node));
  return { ...layout, nodes };
}
