/** `meetNodes`: CLUSTER MEET with each peer that the node does not know yet. */
import {
  busPortOf,
  RedroverError,
  type MeetNodesStep,
  type ProbeTarget,
  type ViewNode,
} from '@redrover/core';
import type { RedisCommand } from '../redis/node-connection.ts';
import { readOwnView } from './own-view.ts';
import type { HostContext, StepEffect } from './step-context.ts';

export async function meetNodes(
  { nodes }: HostContext,
  { node: key, peers }: MeetNodesStep,
): Promise<StepEffect> {
  const { connection } = nodes.get(key);
  const { view } = await readOwnView(connection, key);
  // Inviting a known node shows it twice for a moment, which would look like disagreement.
  const strangers = peers.filter(
    ({ address, port }) =>
      !view.nodes.some(
        (known) => known.address === address && known.port === port && !isLost(known),
      ),
  );
  if (strangers.length === 0) return { touched: [key], message: '' };
  const replies = await connection.pipeline(strangers.map(meetCommand));
  const refused = replies.find((reply) => reply instanceof RedroverError);
  if (refused !== undefined) throw refused;
  // MEET only sends the invitation: who came is seen in the views.
  const names = strangers.map((peer) => peer.node).join(', ');
  return { touched: [key], message: `invited ${names}` };
}

/** A failing entry may be of a node that was there before: the one that is there now is unknown. */
function isLost({ flags }: ViewNode): boolean {
  return ['fail', 'fail?', 'noaddr'].some((flag) => flags.includes(flag));
}

function meetCommand({ address, port, busPort }: ProbeTarget): RedisCommand {
  const endpoint = ['CLUSTER', 'MEET', address, port] as const;
  return busPort === busPortOf(port) ? endpoint : [...endpoint, busPort];
}
