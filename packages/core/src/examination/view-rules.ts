/** Views: whether the nodes agree with each other, and with the layout, on who is there. */
import type { Finding } from '../model/finding.ts';
import type { LayoutNode } from '../model/layout.ts';
import type { ViewNode } from '../model/observation.ts';
import { countSlots, formatRanges } from '../model/slots.ts';
import { subtractSlots } from '../planning/shards.ts';
import {
  layoutNodeOf,
  limitLines,
  listSome,
  moverOf,
  nameOf,
  nameOfId,
  shallBeStopped,
  type Opinion,
  type Picture,
} from './picture.ts';

/** Each view that is not the one of most nodes, with what it says otherwise. */
export function findDisagreement(picture: Picture): Finding[] {
  const [reference, ...others] = picture.opinions;
  if (reference === undefined) return [];
  return others.flatMap((opinion) => {
    const lines = compareOpinions(picture, reference, opinion);
    if (lines.length === 0) return [];
    const [first = '', ...rest] = opinion.holders;
    return [
      {
        rule: 'view-differs',
        severity: 'critical' as const,
        subject: first,
        message:
          `${listSome([first, ...rest])} ${rest.length === 0 ? 'sees' : 'see'} the cluster ` +
          `otherwise than ${listSome(reference.holders)}.`,
        evidence: limitLines(lines),
        remedy:
          'Wait a few seconds and check again; if it stays, look for a network or firewall ' +
          'fault on the bus port between these nodes.',
      },
    ];
  });
}

/** Nodes that others believe to have failed, or to be about to. */
export function findFailureFlags(picture: Picture): Finding[] {
  const flagged = new Map<string, { entry: ViewNode; lines: string[]; failed: boolean }>();
  for (const { nodes, holders } of picture.opinions) {
    for (const entry of nodes) {
      const failed = entry.flags.includes('fail');
      if (!failed && !entry.flags.includes('fail?')) continue;
      const node = layoutNodeOf(picture, entry);
      // Stopped on purpose; while it still owns slots it is not what was meant.
      if (node !== undefined && shallBeStopped(picture, node) && entry.slots.length === 0) continue;
      const known = flagged.get(entry.nodeId) ?? { entry, lines: [], failed: false };
      known.lines.push(`${failed ? 'fail' : 'fail?'} in the view of ${listSome(holders)}`);
      flagged.set(entry.nodeId, { ...known, failed: known.failed || failed });
    }
  }
  return [...flagged.values()].map(({ entry, lines, failed }) => ({
    rule: failed ? 'node-failed' : 'node-possibly-failed',
    severity: failed && entry.slots.length > 0 ? ('critical' as const) : ('warning' as const),
    subject: nameOf(picture, entry),
    message: failed
      ? `The other nodes agree that ${nameOf(picture, entry)} has failed.`
      : `Some nodes cannot reach ${nameOf(picture, entry)}.`,
    evidence: limitLines(lines),
    remedy: 'See whether that node runs, and whether its bus port can be reached from the others.',
  }));
}

/** Entries that never became, or no longer are, a node one could talk to. */
export function findLeftovers(picture: Picture): Finding[] {
  return picture.opinions.flatMap(({ nodes, holders }) =>
    nodes.flatMap((entry) => {
      const flag = ['handshake', 'noaddr'].find((name) => entry.flags.includes(name));
      if (flag === undefined) return [];
      return [
        {
          rule: `node-${flag}`,
          severity: 'warning' as const,
          subject: nameOf(picture, entry),
          message:
            flag === 'handshake'
              ? `A handshake with ${nameOf(picture, entry)} does not come to an end.`
              : `Node id ${entry.nodeId} is known without an address.`,
          evidence: [`in the view of ${listSome(holders)}`],
          remedy:
            flag === 'handshake'
              ? 'Look for a blocked bus port between these nodes.'
              : 'If that node is gone for good, let it be forgotten: ' +
                `redrover cluster repair ${picture.layout.cluster}`,
        },
      ];
    }),
  );
}

/** Nodes that the cluster knows and the layout does not. */
export function findUnknownNodes(picture: Picture): Finding[] {
  const strangers = new Map<string, { entry: ViewNode; holders: string[] }>();
  for (const { nodes, holders } of picture.opinions) {
    for (const entry of nodes) {
      if (entry.flags.includes('handshake') || entry.flags.includes('noaddr')) continue;
      if (layoutNodeOf(picture, entry) !== undefined) continue;
      const known = strangers.get(entry.nodeId) ?? { entry, holders: [] };
      known.holders.push(...holders);
      strangers.set(entry.nodeId, known);
    }
  }
  return [...strangers.values()].map(({ entry, holders }) => ({
    rule: 'unknown-node',
    severity: entry.slots.length > 0 ? ('critical' as const) : ('warning' as const),
    subject: nameOf(picture, entry),
    message: `The cluster has a node at ${nameOf(picture, entry)} that the layout does not have.`,
    evidence: [
      `${entry.nodeId} ${entry.flags.join(',')}`,
      `slots ${formatRanges(entry.slots) || 'none'}`,
      `in the view of ${listSome(holders)}`,
    ],
    remedy: adviseOnStranger(picture, entry),
  }));
}

/** A node of ours under an old id or at an old place is forgotten by a repair; others never are. */
function adviseOnStranger({ layout, former }: Picture, entry: ViewNode): string {
  const isThere = ({ address, port }: LayoutNode) =>
    address === entry.address && port === entry.port;
  const ours = [...layout.nodes, ...former].find(isThere);
  if (ours === undefined) {
    return 'Find out whose node it is; Redrover never stops or forgets it by itself.';
  }
  return entry.slots.length === 0
    ? `It was ${ours.key}. Let that id be forgotten: redrover cluster repair ${layout.cluster}`
    : `It was ${ours.key}, and nobody else has taken over its slots: ` +
        'that data must come back first.';
}

/** Nodes of the layout that speak, and that other nodes have never heard of. */
export function findUnmetNodes(picture: Picture): Finding[] {
  const { speakers, opinions, layout } = picture;
  return speakers.flatMap(({ node, redis }) => {
    const without = opinions
      .filter((opinion) => !opinion.nodes.some((entry) => entry.nodeId === redis.nodeId))
      .flatMap((opinion) => opinion.holders);
    if (without.length === 0) return [];
    return [
      {
        rule: 'node-not-met',
        severity: 'critical' as const,
        subject: node.key,
        message: `Node ${node.key} runs, but ${listSome(without)} do not know it.`,
        evidence: [`its node id is ${redis.nodeId}`, `it knows ${redis.view.nodes.length} nodes`],
        remedy:
          `Let it meet the others: redrover cluster repair ${layout.cluster}; or if the creation ` +
          'was not finished, apply the spec again.',
      },
    ];
  });
}

/** One line for each thing that `other` says otherwise than `reference`. */
function compareOpinions(picture: Picture, reference: Opinion, other: Opinion): string[] {
  const theirs = new Map(other.nodes.map((entry) => [entry.nodeId, entry]));
  const lines: string[] = [];
  for (const entry of reference.nodes) {
    const their = theirs.get(entry.nodeId);
    theirs.delete(entry.nodeId);
    if (their === undefined) lines.push(`${nameOf(picture, entry)}: not known`);
    else lines.push(...compareEntries(picture, entry, their));
  }
  for (const entry of theirs.values()) {
    lines.push(`${nameOf(picture, entry)}: known here alone (${entry.flags.join(',')})`);
  }
  return lines;
}

function compareEntries(picture: Picture, reference: ViewNode, their: ViewNode): string[] {
  const name = nameOf(picture, reference);
  const lines: string[] = [];
  const compare = (what: string, here: string, there: string) => {
    if (here !== there)
      lines.push(`${name}: ${what} ${here || 'none'}, elsewhere ${there || 'none'}`);
  };
  compare('address', `${their.address}:${their.port}`, `${reference.address}:${reference.port}`);
  compare('flags', agreedFlags(their), agreedFlags(reference));
  const masterOf = (entry: ViewNode) =>
    entry.masterId === '' ? '' : nameOfId(picture, entry.masterId);
  compare('master', masterOf(their), masterOf(reference));
  // The news of a move is on its way.
  const isMoving = moverOf(picture, layoutNodeOf(picture, reference)?.key ?? '') !== undefined;
  if (isMoving) return lines;
  if (their.masterId === '' && reference.masterId === '') {
    compare('config epoch', `${their.configEpoch}`, `${reference.configEpoch}`);
  }
  const more = subtractSlots(their.slots, reference.slots);
  const fewer = subtractSlots(reference.slots, their.slots);
  if (countSlots(more) > 0) lines.push(`${name}: owns ${formatRanges(more)}, elsewhere not`);
  if (countSlots(fewer) > 0)
    lines.push(`${name}: does not own ${formatRanges(fewer)}, elsewhere so`);
  return lines;
}

/** What every node should see alike; see `clusterViewOf`. */
function agreedFlags(entry: ViewNode): string {
  return entry.flags
    .filter((flag) => flag !== 'nofailover' && flag !== 'noflags')
    .toSorted()
    .join(',');
}
