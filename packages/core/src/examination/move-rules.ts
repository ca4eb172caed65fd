/** Slots on their way: open ones, those that are not where the layout wants them, and what movers leave. */
import type { Finding } from '../model/finding.ts';
import type { MoverObservation } from '../model/migration.ts';
import { countSlots, formatRanges } from '../model/slots.ts';
import { explainOrphanKeys } from '../planning/explain-orphan-keys.ts';
import { containsSlots, subtractSlots } from '../planning/shards.ts';
import {
  adviseOnUnderWay,
  limitLines,
  moverOf,
  nameOfId,
  type Picture,
  type Speaker,
} from './picture.ts';
import { actualShards, ownSlots, servesSlots } from './roles.ts';

/** Slots that are migrating or importing, on masters and, left over, on replicas. */
export function findOpenSlots(picture: Picture): Finding[] {
  const all = [...picture.speakers, ...picture.formerSpeakers];
  return all.flatMap((speaker) => {
    const open = openOf(speaker).filter(({ slot }) => !isMoved(picture, speaker, slot));
    if (open.length === 0) return [];
    const { key } = speaker.node;
    const evidence = open.map(
      ({ slot, what, nodeId }) => `slot ${slot} ${what} ${nameOfId(picture, nodeId)}`,
    );
    const advice = adviseOnUnderWay(picture);
    return [
      advice === undefined
        ? foreignOpen(picture, speaker, evidence)
        : ownOpen(key, evidence, advice),
    ];
  });
}

function openOf({ self }: Speaker) {
  return [
    ...(self?.migrating ?? []).map((open) => ({ ...open, what: 'migrating to' })),
    ...(self?.importing ?? []).map((open) => ({ ...open, what: 'importing from' })),
  ];
}

/** Whether a mover of ours has the slot in hand, between this node and another. */
function isMoved({ movers }: Picture, { node }: Speaker, slot: number): boolean {
  return movers.some(
    ({ source, target, slots }) =>
      (source === node.key || target === node.key) &&
      slots.some(({ start, end }) => start <= slot && slot <= end),
  );
}

function ownOpen(key: string, evidence: readonly string[], remedy: string): Finding {
  return {
    rule: 'open-slots',
    severity: 'info',
    subject: key,
    message: `Node ${key} has ${evidence.length} slots that are open, and no mover works on them.`,
    evidence: limitLines(evidence),
    remedy,
  };
}

function foreignOpen(
  { layout }: Picture,
  { node, redis }: Speaker,
  evidence: readonly string[],
): Finding {
  const seconds = Math.floor(redis.openSlotsQuietMs / 1000);
  return {
    rule: 'open-slots',
    severity: 'warning',
    subject: node.key,
    message:
      `Node ${node.key} has ${evidence.length} slots that are open, unchanged for ${seconds} s, ` +
      'and no mover works on them.',
    evidence: limitLines(evidence),
    remedy:
      'Somebody may be resharding by hand. What has not changed for 60 s is settled by ' +
      `redrover cluster repair ${layout.cluster}`,
  };
}

/** While slots are on their way nothing is wrong with where they are, and they are not yet where they shall be. */
export function areSlotsOnTheirWay(picture: Picture): boolean {
  if (picture.movers.length > 0) return true;
  return picture.underWay !== undefined && misplacedSlots(picture).length > 0;
}

/** Masters that own slots which the layout gives to another shard; those of an operation that rests are its own. */
export function findMisplacedSlots(picture: Picture): Finding[] {
  const { underWay, movers } = picture;
  if (movers.length > 0 || (underWay !== undefined && underWay.state !== 'paused')) return [];
  const remedy = adviseOnUnderWay(picture);
  return misplacedSlots(picture).map((finding) =>
    remedy === undefined ? finding : { ...finding, severity: 'info', remedy },
  );
}

function misplacedSlots(picture: Picture): Finding[] {
  return actualShards(picture).flatMap(({ shard, masters }) =>
    masters.flatMap((master) => {
      const extra = subtractSlots(ownSlots(master), shard.slots);
      if (countSlots(extra) === 0) return [];
      return [
        {
          rule: 'slots-not-as-layout',
          severity: 'warning' as const,
          subject: master.node.key,
          message: `Node ${master.node.key} owns slots that the layout gives to another shard.`,
          evidence: [
            `owns besides: ${formatRanges(extra)}`,
            `shard ${shard.id} of layout ${picture.layout.number}: ${formatRanges(shard.slots) || 'none'}`,
          ],
          remedy:
            `Move them where the layout has them: redrover cluster repair ${picture.layout.cluster}; ` +
            'or plan where they shall be: redrover cluster rebalance or move-slots',
        },
      ];
    }),
  );
}

/** Keys that no client is sent to: of masters with slots beside these, and of such without any. */
export function findOrphanKeys(picture: Picture): Finding[] {
  return [...findKeysBeside(picture), ...findKeysAlone(picture)];
}

/** Keys in slots of others; while slots move there, what it has is on its way. */
function findKeysBeside(picture: Picture): Finding[] {
  const all = [...picture.speakers, ...picture.formerSpeakers];
  return all.flatMap((speaker) => {
    const { node, redis } = speaker;
    const { keys = 0, slotCount = 0, slots = [] } = redis.orphanKeys ?? {};
    if (keys === 0 || !servesSlots(speaker) || moverOf(picture, node.key) !== undefined) return [];
    const evidence = slots.map(({ slot, keys: count }) => {
      const one = [{ start: slot, end: slot }];
      const owners = picture.speakers.filter(({ self }) => containsSlots(self?.slots ?? [], one));
      const names = owners.map((owner) => owner.node.key).join(' and ') || 'nobody who answers';
      return `slot ${slot}: ${count} keys; ${names} owns it`;
    });
    const { cluster } = picture.layout;
    const said = explainOrphanKeys({ node, keys, slotCount, cluster });
    return [{ ...said, evidence: limitLines(evidence) }];
  });
}

/** Masters to which no view gives a slot, and that hold keys. */
function findKeysAlone(picture: Picture): Finding[] {
  const all = [...picture.speakers, ...picture.formerSpeakers];
  return all
    .filter((speaker) => {
      const { node, redis } = speaker;
      if (redis.role !== 'master' || redis.keys === 0 || servesSlots(speaker)) return false;
      if (openOf(speaker).length > 0 || moverOf(picture, node.key) !== undefined) return false;
      return !picture.opinions.some(({ nodes }) =>
        nodes.some(({ nodeId, slots }) => nodeId === redis.nodeId && slots.length > 0),
      );
    })
    .map(({ node, redis }) => ({
      rule: 'orphan-keys',
      severity: 'warning' as const,
      subject: node.key,
      message: `Node ${node.key} owns no slot and holds ${redis.keys} keys, which no client can reach.`,
      evidence: [`it is of shard ${node.shard}`],
      remedy:
        `Look at them (redis-cli -h ${node.address} -p ${node.port} SCAN 0); copy what is needed, ` +
        `FLUSHALL there, then redrover cluster repair ${picture.layout.cluster}`,
    }));
}

/** Movers that nobody holds on to any more. */
export function findLapsedMovers({ movers, now, layout }: Picture): Finding[] {
  const isLapsed = ({ leaseUntilMs }: MoverObservation) => leaseUntilMs < now;
  return movers.filter(isLapsed).map(({ id, source, target, slots, state, leaseUntilMs }) => ({
    rule: 'mover-lease-lapsed',
    severity: 'warning' as const,
    subject: target,
    message: `The mover from ${source} to ${target} is at work after its lease has lapsed.`,
    evidence: [
      `task ${id}, ${state}, of ${countSlots(slots)} slots`,
      `its lease ended ${Math.round((now - leaseUntilMs) / 1000)} s ago`,
    ],
    remedy:
      'It stops by itself at the end of its window. If it stays, see the log of the agent there; ' +
      `then redrover cluster repair ${layout.cluster}`,
  }));
}
