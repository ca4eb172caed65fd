/** Slots by weights: as many of them, as many keys, or as much memory for each shard. */
import { bytesText } from '../../model/bytes-text.ts';
import { SLOT_COUNT } from '../../model/slots.ts';
import type { Reshard } from '../../model/migration.ts';
import { whereSlotsAre } from '../scale/next-slots.ts';
import { balanceLoads } from '../slots/balance-loads.ts';
import { balanceSlots } from '../slots/balance-slots.ts';
import { excessByShard, type SlotLoads } from '../slots/load-shares.ts';
import { ownersOf } from '../slots/slot-owners.ts';
import type { Weights } from '../slots/slot-shares.ts';
import { withSlots } from './next-shards.ts';
import {
  info,
  plural,
  refused,
  unknownShard,
  type ReshardDraft,
  type ReshardRequest,
} from './reshard-request.ts';

type Rebalance = Extract<Reshard, { kind: 'rebalance' }>;

export function draftRebalance(request: ReshardRequest, change: Rebalance): ReshardDraft {
  const { layout, ownedSlots } = request;
  const mistake = findMistake(request, change);
  if (mistake !== undefined) return mistake;
  const weights = Object.fromEntries(layout.shards.map(({ id }) => [id, weightOf(change, id)]));
  const present = whereSlotsAre(layout, ownedSlots);
  if (change.by === 'slots') {
    const wanted = Object.fromEntries(layout.shards.map(({ id, slots }) => [id, slots]));
    return withSlots(request, balanceSlots({ present, weights, wanted }), []);
  }
  const loads = loadsOf(request, change);
  if (loads === undefined) return notCounted(request);
  const slots = balanceLoads({ present, weights, loads });
  const said = describeLoads({ before: present, after: slots }, { weights, loads, by: change.by });
  return withSlots(request, slots, [
    info({ rule: 'loads', subject: layout.cluster, ...said, remedy: '' }),
  ]);
}

function weightOf({ weights }: Rebalance, shard: string): number {
  return Object.hasOwn(weights, shard) ? (weights[shard] ?? 1) : 1;
}

function findMistake({ layout }: ReshardRequest, change: Rebalance): ReshardDraft | undefined {
  const named = Object.entries(change.weights);
  const unknown = named.find(([shard]) => layout.shards.every(({ id }) => id !== shard));
  if (unknown !== undefined) return unknownShard(layout, unknown[0]);
  const invalid = named.find(([, weight]) => !Number.isFinite(weight) || weight < 0);
  if (invalid !== undefined) {
    return refused({
      rule: 'weight-valid',
      subject: invalid[0],
      message: `The weight of shard ${invalid[0]} is ${invalid[1]}.`,
      evidence: [],
      remedy: 'Give it a weight of 0 or more; 1 is that of shards that are not named.',
    });
  }
  if (layout.shards.some(({ id }) => weightOf(change, id) > 0)) return undefined;
  return refused({
    rule: 'weight-valid',
    subject: layout.cluster,
    message: 'All shards have the weight 0: nobody would have any slots.',
    evidence: [],
    remedy: 'Give at least one shard a weight above 0.',
  });
}

/** Undefined when they are not known of every slot. */
function loadsOf({ stats }: ReshardRequest, { by }: Rebalance): SlotLoads | undefined {
  const known = new Map((stats ?? []).map((each) => [each.slot, each]));
  if (known.size < SLOT_COUNT) return undefined;
  return Array.from({ length: SLOT_COUNT }, (_, slot) => {
    const { keys = 0, bytes = 0 } = known.get(slot) ?? {};
    return by === 'keys' ? keys : bytes;
  });
}

function notCounted({ layout, ownedSlots, stats }: ReshardRequest): ReshardDraft {
  const known = new Set((stats ?? []).map(({ slot }) => slot));
  const owners = ownersOf(whereSlotsAre(layout, ownedSlots));
  const without = [...owners.entries()].filter(([slot]) => !known.has(slot));
  const shards = [...new Set(without.map(([, owner]) => owner ?? 'no shard'))];
  return refused({
    rule: 'slots-not-counted',
    subject: layout.cluster,
    message: `Of ${plural(without.length, 'slot')} it is not known how many keys they have.`,
    evidence: [`slots of ${shards.join(', ')}`],
    remedy:
      'Bring the masters of these shards and the agents of their hosts back, or rebalance ' +
      '--by slots.',
  });
}

function describeLoads(
  { before, after }: { readonly before: object; readonly after: object },
  what: { readonly weights: Weights; readonly loads: SlotLoads; readonly by: 'keys' | 'memory' },
): { readonly message: string; readonly evidence: readonly string[] } {
  const excess = (slots: object) => excessByShard(ownersOf({ ...slots }), what);
  const [was, becomes] = [excess(before), excess(after)];
  const unit = what.by === 'keys' ? 'keys' : 'bytes';
  const amount = (value: number) =>
    what.by === 'keys' ? `${value.toLocaleString('en')} keys` : bytesText(value);
  const signed = (value = 0) => `${value >= 0 ? '+' : '-'}${amount(Math.round(Math.abs(value)))}`;
  return {
    message: `Difference of each shard from its share of the ${unit}, before and after:`,
    evidence: [...becomes].map(
      ([shard, value]) => `${shard}: ${signed(was.get(shard))}, then ${signed(value)}`,
    ),
  };
}
