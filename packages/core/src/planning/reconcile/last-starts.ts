/**
 * Nodes of shards that the layout does not have any more, and whose slots are not elsewhere yet: what
 * is down of them is started once more, with its data, and never made anew.
 */
import { startNode } from '../nodes.ts';
import { isOnline, seenNode } from '../situation.ts';
import { IDLE, mergeTurns, type Turn } from '../turn.ts';
import { type Fleet } from './fleet.ts';

export function planLastStarts(fleet: Fleet): Turn {
  const lost = new Set(
    fleet.departed.filter(({ missing }) => missing.length > 0).map(({ shard }) => shard.id),
  );
  return mergeTurns(
    fleet.former.map((node) => {
      const seen = isOnline(fleet, node.host) ? seenNode(fleet, node.key) : undefined;
      if (seen === undefined || !lost.has(node.shard)) return IDLE;
      const { state, hasData, marker, identityLost } = seen.process;
      const isOurs = marker?.clusterId === fleet.layout.clusterId && hasData && !identityLost;
      const isDown = state === 'stopped' || state === 'held' || state === 'crash-loop';
      return isOurs && isDown ? startNode(fleet, node) : IDLE;
    }),
  );
}
