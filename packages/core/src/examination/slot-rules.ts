/** Slots: covered, owned once, where the layout wants them, none left open. */
import type { Finding } from '../model/finding.ts';
import type { LayoutNode } from '../model/layout.ts';
import {
  countSlots,
  formatRanges,
  normalizeRanges,
  SLOT_COUNT,
  type SlotRange,
} from '../model/slots.ts';
import { subtractSlots } from '../planning/shards.ts';
import { adviseOnState, describeState } from './masterless-shards.ts';
import { limitLines, listSome, nameOf, type Picture, type Speaker } from './picture.ts';
import { ownSlots } from './roles.ts';

const ALL_SLOTS: readonly SlotRange[] = [{ start: 0, end: SLOT_COUNT - 1 }];

/** The coverage check of `redis-cli --cluster check`, in every node's own view. */
export function findUncoveredSlots(picture: Picture): Finding[] {
  const { opinions, layout } = picture;
  const lines: string[] = [];
  const uncovered: SlotRange[] = [];
  for (const { nodes, holders } of opinions) {
    const covered = normalizeRanges(nodes.flatMap((entry) => entry.slots));
    const open = subtractSlots(ALL_SLOTS, covered);
    if (open.length === 0) continue;
    lines.push(`${formatRanges(open)} in the view of ${listSome(holders)}`);
    uncovered.push(...open);
  }
  if (lines.length === 0) return [];
  return [
    {
      rule: 'slots-not-covered',
      severity: 'critical',
      subject: layout.cluster,
      message:
        `${countSlots(normalizeRanges(uncovered))} of ${SLOT_COUNT} slots have no owner; their ` +
        'keys cannot be read or written.',
      evidence: limitLines([...lines, ...describeHolders(picture, uncovered)]),
      remedy: adviseOnHolders(picture, uncovered),
    },
  ];
}

/** What became of the nodes that the layout gives these slots to. */
function describeHolders(picture: Picture, slots: readonly SlotRange[]): string[] {
  return shardsOf(picture, slots).flatMap(({ id, shared }) =>
    membersOf(picture, id).map(
      (node) =>
        `${formatRanges(shared)} are of ${id}: ${node.key}, ${describeState(picture, node)}`,
    ),
  );
}

function adviseOnHolders(picture: Picture, slots: readonly SlotRange[]): string {
  const speaking = new Set(picture.speakers.map(({ node }) => node));
  const silent = shardsOf(picture, slots)
    .flatMap(({ id }) => membersOf(picture, id))
    .filter((node) => !speaking.has(node));
  const ways = silent.map((node) => `${node.key}: ${adviseOnState(picture, node)}`);
  const general = 'Bring the nodes that owned them back before anybody claims these slots anew.';
  return [general, ...limitLines(ways, 4)].join(' ');
}

function shardsOf({ layout }: Picture, slots: readonly SlotRange[]) {
  const open = normalizeRanges(slots);
  return layout.shards.flatMap((shard) => {
    const shared = subtractSlots(shard.slots, subtractSlots(shard.slots, open));
    return shared.length === 0 ? [] : [{ id: shard.id, shared }];
  });
}

function membersOf({ layout }: Picture, shard: string): LayoutNode[] {
  return layout.nodes.filter((node) => node.shard === shard);
}

/** Slots that two nodes claim, each in its own view. */
export function findSlotsOwnedTwice({ speakers, movers }: Picture): Finding[] {
  const owners: { speaker: Speaker; range: SlotRange }[] = speakers.flatMap((speaker) =>
    ownSlots(speaker).map((range) => ({ speaker, range })),
  );
  owners.sort((a, b) => a.range.start - b.range.start);
  const lines = new Map<string, string[]>();
  for (const [index, next] of owners.entries()) {
    const previous = owners[index - 1];
    if (previous === undefined || next.range.start > previous.range.end) continue;
    const end = Math.min(previous.range.end, next.range.end);
    const [one, other] = [previous.speaker.node.key, next.speaker.node.key];
    // The target of a move is told before its source.
    const isMove = movers.some(
      ({ source, target }) =>
        (source === one && target === other) || (source === other && target === one),
    );
    if (isMove) continue;
    const pair = `${one} and ${other}`;
    const shared = formatRanges([{ start: next.range.start, end }]);
    lines.set(pair, [...(lines.get(pair) ?? []), shared]);
  }
  return [...lines].map(([pair, shared]) => ({
    rule: 'slots-owned-twice',
    severity: 'critical' as const,
    subject: pair.split(' ')[0] ?? pair,
    message: `${pair} both say that they own the same slots.`,
    evidence: limitLines(shared),
    remedy:
      'Wait a few seconds: the one with the higher config epoch wins. If it stays, compare the ' +
      'keys of both before you do anything.',
  }));
}

/** Masters of equal epoch cannot settle who owns a slot that both claim. */
export function findEqualEpochs(picture: Picture): Finding[] {
  // Targets of moves raise their epochs at the same time, and Redis separates them.
  if (picture.movers.length > 0) return [];
  const byEpoch = new Map<number, string[]>();
  for (const entry of picture.opinions[0]?.nodes ?? []) {
    if (entry.slots.length === 0) continue;
    const names = byEpoch.get(entry.configEpoch) ?? [];
    byEpoch.set(entry.configEpoch, [...names, nameOf(picture, entry)]);
  }
  return [...byEpoch]
    .filter(([, names]) => names.length > 1)
    .map(([epoch, names]) => ({
      rule: 'equal-config-epochs',
      severity: 'warning' as const,
      subject: names[0] ?? '',
      message: `${listSome(names)} have the same config epoch ${epoch}.`,
      evidence: names.map((name) => `${name}: ${epoch}`),
      remedy:
        'Redis separates them within seconds; if it stays, the nodes cannot reach each other.',
    }));
}

export function findStateFail({ speakers }: Picture): Finding[] {
  return speakers
    .filter(({ redis }) => redis.clusterState !== 'ok')
    .map(({ node, redis }) => ({
      rule: 'cluster-state-fail',
      severity: 'critical' as const,
      subject: node.key,
      message: `Node ${node.key} says cluster_state fail: it serves nobody.`,
      evidence: [
        `it sees ${redis.slotsAssigned} of ${SLOT_COUNT} slots assigned`,
        `it knows ${redis.knownNodes} nodes`,
      ],
      remedy: 'Bring back the masters that it misses; the other findings name them.',
    }));
}
