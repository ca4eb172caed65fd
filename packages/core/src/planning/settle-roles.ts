/**
 * Who is master once nodes that know each other have talked: higher epochs win slots, a master
 * that lost all of its own follows the winner, and replicas of the dead are elected by a majority.
 * Part of the model of `settle.ts`.
 */
import type { RedisObservation, ViewNode } from '../model/observation.ts';
import { countSlots, normalizeRanges, SLOT_COUNT, type SlotRange } from '../model/slots.ts';
import { overlapsSlots, subtractSlots } from './shards.ts';

/** A node that answers, and its own line of its own view. */
export interface Voice {
  readonly redis: RedisObservation;
  readonly self: ViewNode;
}

/** The nodes' own lines, in the order of the group. */
export function resolveRoles(group: readonly Voice[], silent: readonly ViewNode[]): ViewNode[] {
  const selves = resolveClaims(separateEpochs(group), silent);
  const byId = new Map(selves.map((self) => [self.nodeId, self]));
  return selves.map((self) => followLeader(self, byId));
}

/** Slots that two claim are the one's with the higher epoch, also if it is dead by now. */
function resolveClaims(selves: readonly ViewNode[], silent: readonly ViewNode[]): ViewNode[] {
  const ranked = [...selves, ...silent]
    .filter(isOwner)
    .sort((a, b) => b.configEpoch - a.configEpoch);
  const settled = new Map<string, ViewNode>();
  const winners: ViewNode[] = [];
  const taken = new Uint8Array(SLOT_COUNT);
  for (const self of ranked) {
    const slots = freeOf(self.slots, taken);
    const winner =
      slots.length > 0
        ? undefined
        : winners.find((other) => overlapsSlots(other.slots, self.slots));
    if (winner === undefined) {
      const kept = { ...self, slots };
      for (const { start, end } of slots) taken.fill(1, start, end + 1);
      winners.push(kept);
      settled.set(self.nodeId, kept);
    } else {
      const { nodeId: masterId, configEpoch } = winner;
      settled.set(self.nodeId, { ...self, slots: [], flags: ['slave'], masterId, configEpoch });
    }
  }
  return selves.map((self) => settled.get(self.nodeId) ?? self);
}

function freeOf(slots: readonly SlotRange[], taken: Uint8Array): readonly SlotRange[] {
  const isFree = slots.every(({ start, end }) => !taken.subarray(start, end + 1).includes(1));
  if (isFree) return slots;
  const free = slots.flatMap(({ start, end }) =>
    Array.from({ length: end - start + 1 }, (_, at) => start + at)
      .filter((slot) => taken[slot] === 0)
      .map((slot) => ({ start: slot, end: slot })),
  );
  return normalizeRanges(free);
}

/** A replica of a node that became a replica follows that one's master. */
function followLeader(self: ViewNode, byId: ReadonlyMap<string, ViewNode>): ViewNode {
  const seen = new Set<string>();
  let masterId = self.masterId;
  while (masterId !== '' && !seen.has(masterId)) {
    seen.add(masterId);
    const next = byId.get(masterId)?.masterId ?? '';
    if (next === '' || next === self.nodeId) break;
    masterId = next;
  }
  return masterId === self.masterId ? self : { ...self, masterId };
}

export function electReplicas(
  group: readonly Voice[],
  selves: readonly ViewNode[],
  silent: readonly ViewNode[],
): ViewNode[] {
  if (!hasQuorum(selves, silent)) return [...selves];
  let elected = [...selves];
  let epoch = Math.max(...[...selves, ...silent].map((entry) => entry.configEpoch));
  for (const dead of silent) {
    const free = elected.flatMap((self) => self.slots);
    const slots = subtractSlots(dead.slots, normalizeRanges(free));
    const candidate = elected.findIndex(
      (self, at) => self.masterId === dead.nodeId && mayFailOver(group[at]),
    );
    if (slots.length === 0 || candidate === -1) continue;
    epoch += 1;
    const heir = elected[candidate];
    const configEpoch = epoch;
    elected = elected.map((self, at) => {
      if (at === candidate) return { ...self, flags: ['master'], masterId: '', slots, configEpoch };
      return self.masterId === dead.nodeId ? { ...self, masterId: heir?.nodeId ?? '' } : self;
    });
  }
  return elected;
}

/** Only a replica that has synced once has anything to serve. */
function mayFailOver(voice: Voice | undefined): boolean {
  if (voice === undefined || voice.redis.replicaNoFailover) return false;
  const { role, masterLastIoSeconds } = voice.redis;
  return role === 'replica' && masterLastIoSeconds !== undefined && masterLastIoSeconds >= 0;
}

/** Whether a majority of the masters with slots speaks. */
export function hasQuorum(selves: readonly ViewNode[], silent: readonly ViewNode[]): boolean {
  const free = selves.flatMap((self) => self.slots);
  const missing = silent.filter(({ slots }) => countSlots(subtractSlots(slots, free)) > 0);
  const alive = selves.filter(isOwner).length;
  return alive >= Math.floor((alive + missing.length) / 2) + 1;
}

function isOwner(self: ViewNode): boolean {
  return self.slots.length > 0;
}

/** Masters of equal epoch: all but one take the next free ones. */
function separateEpochs(group: readonly Voice[]): ViewNode[] {
  const taken = new Set<number>();
  let highest = Math.max(...group.map((speaker) => speaker.self.configEpoch));
  return group.map(({ self }) => {
    if (self.masterId !== '') return self;
    if (!taken.has(self.configEpoch)) {
      taken.add(self.configEpoch);
      return self;
    }
    highest += 1;
    taken.add(highest);
    return { ...self, configEpoch: highest };
  });
}
