/**
 * What no plan may go on over: slots in the wrong hands, and nodes that are not of the layout.
 *
 * Both are for a person. Adding or forgetting on a guess is how data is lost.
 */
import type { ViewNode } from '../model/observation.ts';
import { formatRanges } from '../model/slots.ts';
import { containsSlots } from './shards.ts';
import type { DistinctView, Situation } from './situation.ts';
import { blocking, mergeTurns, type Turn } from './turn.ts';

export function planConflicts(situation: Situation): Turn {
  const reported = new Set<string>();
  const turns: Turn[] = [];
  for (const view of situation.views.values()) {
    for (const entry of view.nodes.values()) {
      const key = `${entry.nodeId} ${formatRanges(entry.slots)}`;
      if (reported.has(key)) continue;
      reported.add(key);
      turns.push(...judgeEntry(situation, view, entry));
    }
  }
  return mergeTurns(turns);
}

function judgeEntry(situation: Situation, view: DistinctView, entry: ViewNode): Turn[] {
  const live = situation.liveById.get(entry.nodeId);
  if (live === undefined) return judgeStranger(situation, view, entry);
  const shard = situation.layout.shards.find((candidate) => candidate.id === live.node.shard);
  if (shard !== undefined && containsSlots(shard.slots, entry.slots)) return [];
  return [
    blocking({
      rule: 'slots-on-wrong-node',
      subject: live.node.key,
      message: `Node ${live.node.key} owns slots that the layout gives to another shard.`,
      evidence: [
        `owns ${formatRanges(entry.slots)} in the view of ${view.holders.join(', ')}`,
        `shard ${live.node.shard} has ${formatRanges(shard?.slots ?? [])}`,
      ],
      remedy:
        `redrover cluster check ${situation.layout.cluster} shows every node's view; ` +
        `move the slots back, or plan a layout that agrees with them`,
    }),
  ];
}

function judgeStranger(situation: Situation, view: DistinctView, entry: ViewNode): Turn[] {
  const where = `${entry.address}:${entry.port}`;
  // A handshake carries a made-up node id until it is over, and times out by itself.
  if (entry.flags.includes('handshake')) return [];
  const { layout } = situation;
  const former = layout.nodes.find(
    (node) => node.address === entry.address && node.port === entry.port,
  );
  return [
    blocking({
      rule: 'unknown-node-in-view',
      subject: former?.key ?? where,
      message:
        former === undefined
          ? `The cluster knows a node at ${where} that the layout does not have.`
          : `The cluster knows ${former.key} under another node id: it lost its nodes.conf.`,
      evidence: [
        `${entry.nodeId} ${entry.flags.join(',')} in the view of ${view.holders.join(', ')}`,
        `slots: ${formatRanges(entry.slots) || 'none'}`,
      ],
      remedy:
        `If nothing of ${layout.cluster} is needed: redrover cluster rm ${layout.cluster}, ` +
        `then apply again; else find out whose node that is before anything else`,
    }),
  ];
}
