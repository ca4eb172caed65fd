/** `meetNodes`: CLUSTER MEET with each peer. Meeting a node that is known already changes nothing. */
import { busPortOf, RedroverError, type MeetNodesStep } from '@redrover/core';
import type { RedisCommand } from '../redis/node-connection.ts';
import type { HostContext, StepEffect } from './step-context.ts';

export async function meetNodes(
  { nodes }: HostContext,
  { node: key, peers }: MeetNodesStep,
): Promise<StepEffect> {
  const { connection } = nodes.get(key);
  const replies = await connection.pipeline(
    peers.map(({ address, port, busPort }): RedisCommand => {
      const endpoint = ['CLUSTER', 'MEET', address, port] as const;
      return busPort === busPortOf(port) ? endpoint : [...endpoint, busPort];
    }),
  );
  const refused = replies.find((reply) => reply instanceof RedroverError);
  if (refused !== undefined) throw refused;
  // MEET only sends the invitation: who came is seen in the views.
  return { touched: [key], message: `invited ${peers.map((peer) => peer.node).join(', ')}` };
}
