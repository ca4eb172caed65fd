/**
 * Makes every node know every other: first the ports are probed between all hosts, then each pair
 * of nodes meets.
 *
 * Every pair, not a star: gossip alone took 1 to 4 s for six nodes where all pairs took 0.1 s. A
 * blocked bus port makes a join wait for ever (redis#13268), so the probe comes first.
 */
import type { LayoutNode } from '../model/layout.ts';
import {
  stepKey,
  type MeetNodesStep,
  type ProbeMeshStep,
  type ProbeTarget,
} from '../model/step.ts';
import { trailOf, tryStep } from './attempts.ts';
import { startStep } from './nodes.ts';
import { layoutHosts, viewOf, type LiveNode, type Situation } from './situation.ts';
import { IDLE, mergeTurns, waiting, type Turn } from './turn.ts';

/** Whether every live node knows every other by its real id, with no handshake under way. */
export function meshComplete(situation: Situation): boolean {
  // Nodes of one view know the same: a thousand that agree are asked once.
  const byView = new Map(situation.live.map((live) => [live.redis.view.hash, live]));
  return [...byView.values()].every(
    (live) => situation.live.every((other) => knows(situation, live, other)) && !inHandshake(live),
  );
}

/**
 * Probes between newcomers and all others, until each host has succeeded in this operation since
 * a node was started last; idle once no MEET is needed any more.
 */
export function planProbes(situation: Situation): Turn {
  if (meshComplete(situation)) return IDLE;
  const newcomers = new Set(findNewcomers(situation).map((live) => live.node));
  if (newcomers.size === 0) return IDLE;
  const { nodes } = situation.layout;
  return mergeTurns(
    layoutHosts(situation.layout).map((host) => {
      const hasNewcomer = nodes.some((node) => node.host === host && newcomers.has(node));
      const targets = hasNewcomer ? nodes : nodes.filter((node) => newcomers.has(node));
      return planProbe(situation, host, targets);
    }),
  );
}

/** The nodes that most others do not know; where there are none, those that anybody does not. */
function findNewcomers(situation: Situation): LiveNode[] {
  const { live } = situation;
  const missing = live.map(
    (one) =>
      live.filter((other) => !knows(situation, one, other) || !knows(situation, other, one)).length,
  );
  const most = live.filter((_, index) => (missing[index] ?? 0) > (live.length - 1) / 2);
  return most.length > 0 ? most : live.filter((_, index) => (missing[index] ?? 0) > 0);
}

export function planMeets(situation: Situation): Turn {
  if (meshComplete(situation)) return IDLE;
  const handshakes = situation.live.map(handshakesOf);
  return mergeTurns(
    situation.live.map((live, index) => {
      const peers = peersToMeet(situation, handshakes, index);
      if (peers.length > 0) return planMeet(situation, live, peers);
      const known = situation.live.filter((other) => knows(situation, live, other)).length;
      if (known === situation.live.length && handshakes[index]?.size === 0) return IDLE;
      return waiting(live.node.key, `knows ${known} of ${situation.live.length} nodes`);
    }),
  );
}

function planProbe(situation: Situation, host: string, nodes: readonly LayoutNode[]): Turn {
  const step: ProbeMeshStep = { kind: 'probeMesh', host, targets: nodes.map(targetOf) };
  if (hasProbed(situation, step)) return IDLE;
  return tryStep(situation.attempts, step, {
    now: situation.now,
    what: `probing data and bus ports from ${host}`,
    subject: host,
    remedy: `Open the named ports between the hosts (the bus port as well), then apply again`,
  });
}

/** A probe says nothing of nodes that were started after it. */
function hasProbed(situation: Situation, step: ProbeMeshStep): boolean {
  const { last } = trailOf(situation.attempts, stepKey(step));
  if (last?.outcome !== 'ok') return false;
  return situation.layout.nodes.every((node) => {
    const start = trailOf(situation.attempts, stepKey(startStep(node))).last;
    return start?.endedAtMs === undefined || start.endedAtMs <= (last.endedAtMs ?? 0);
  });
}

function planMeet(situation: Situation, live: LiveNode, peers: readonly LiveNode[]): Turn {
  const { node } = live;
  const step: MeetNodesStep = {
    kind: 'meetNodes',
    host: node.host,
    node: node.key,
    peers: peers.map((peer) => targetOf(peer.node)),
  };
  return tryStep(situation.attempts, step, {
    now: situation.now,
    what: `${node.key} meeting ${peers.map((peer) => peer.node.key).join(', ')}`,
    subject: node.key,
    remedy: `Look for a firewall on the bus ports and for "cluster" lines in the nodes' redis.log`,
  });
}

/**
 * The peers that the node at `index` has to MEET: of each pair only one side does it, in turns
 * around the list, so that each node has about half of its pairs.
 */
function peersToMeet(
  situation: Situation,
  handshakes: readonly ReadonlySet<string>[],
  index: number,
): LiveNode[] {
  const live = situation.live[index] as LiveNode;
  return situation.live.filter((peer, peerIndex) => {
    if (peerIndex === index) return false;
    const isKnown = knows(situation, live, peer);
    if (isKnown && knows(situation, peer, live)) return false;
    // One that was forgotten cannot invite: its agent sees that it knows the others already.
    if (isKnown !== knows(situation, peer, live)) {
      if (isKnown) return false;
    } else {
      const isFirst = index < peerIndex;
      const firstMeets = (peerIndex - index) % 2 !== 0;
      if (isFirst !== firstMeets) return false;
    }
    const underWay =
      handshakes[index]?.has(endpointOf(peer.node)) === true ||
      handshakes[peerIndex]?.has(endpointOf(live.node)) === true;
    return !underWay;
  });
}

/**
 * Whether the node's own view has the other by its real id, past the handshake, and not at an
 * address where it lost it: a MEET at the new address corrects that (cluster.c, "Handshake: we
 * already know node").
 */
export function knows(situation: Situation, live: LiveNode, other: LiveNode): boolean {
  const entry = viewOf(situation, live).get(other.redis.nodeId);
  if (entry === undefined || entry.flags.includes('handshake')) return false;
  const isThere = entry.address === other.node.address && entry.port === other.node.port;
  return isThere || !entry.flags.some((flag) => flag === 'fail' || flag === 'noaddr');
}

function inHandshake(live: LiveNode): boolean {
  return live.redis.view.nodes.some((entry) => entry.flags.includes('handshake'));
}

/** Endpoints with which the node is in a handshake. */
function handshakesOf(live: LiveNode): ReadonlySet<string> {
  const entries = live.redis.view.nodes.filter((entry) => entry.flags.includes('handshake'));
  return new Set(entries.map(endpointOf));
}

function endpointOf(node: { readonly address: string; readonly port: number }): string {
  return `${node.address}:${node.port}`;
}

function targetOf(node: LayoutNode): ProbeTarget {
  return { node: node.key, address: node.address, port: node.port, busPort: node.busPort };
}
