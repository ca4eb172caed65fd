/** Who is what now, by the nodes' own words: actual roles, which may not be the preferred ones. */
import type { LayoutShard } from '../model/layout.ts';
import { countSlots, normalizeRanges, type SlotRange } from '../model/slots.ts';
import type { PlacedMember } from '../placement/domains.ts';
import { containsSlots } from '../planning/shards.ts';
import { layoutNodeOf, type Picture, type Speaker } from './picture.ts';

export interface ActualShard {
  readonly shard: LayoutShard;
  /** Members that say they are masters and own slots; one, when nothing is wrong. */
  readonly masters: readonly Speaker[];
  /** Nodes that follow one of these masters, whatever shard the layout has them in. */
  readonly replicas: readonly Speaker[];
  /**
   * Nobody gives its nodes a slot: it is new, or its slots are elsewhere by now. Its masters do not
   * vote, and nothing is lost with it.
   */
  readonly isEmpty: boolean;
}

/** Those of the layout, and those that it does not have any more and that still serve. */
export function actualShards(picture: Picture): ActualShard[] {
  const all = [...picture.speakers, ...picture.formerSpeakers];
  const serving = Map.groupBy(all.filter(servesSlots), ({ node }) => node.shard);
  const following = Map.groupBy(
    all.filter(({ redis }) => redis.role === 'replica'),
    ({ self }) => self?.masterId ?? '',
  );
  const { shards } = picture.layout;
  const known = new Set(shards.map(({ id }) => id));
  const departed = [...serving.keys()].filter((id) => !known.has(id));
  const owning = owningShards(picture);
  return [...shards, ...departed.map((id): LayoutShard => ({ id, slots: [] }))].map((shard) => {
    const masters = serving.get(shard.id) ?? [];
    const replicas = masters.flatMap(({ redis }) => following.get(redis.nodeId) ?? []);
    const isEmpty = masters.length === 0 && !owning.has(shard.id) && isServed(picture, shard);
    return { shard, masters, replicas, isEmpty };
  });
}

/** Shards to whose nodes anybody gives slots, be they dead by now. */
function owningShards(picture: Picture): ReadonlySet<string> {
  return new Set(
    picture.opinions.flatMap(({ nodes }) =>
      nodes.flatMap((entry) =>
        entry.slots.length === 0 ? [] : (layoutNodeOf(picture, entry)?.shard ?? []),
      ),
    ),
  );
}

/** Whether all that the layout gives the shard is somebody's, by the view of most nodes. */
function isServed({ opinions }: Picture, { slots }: LayoutShard): boolean {
  const owned = (opinions[0]?.nodes ?? []).flatMap((entry) => entry.slots);
  return opinions.length > 0 && containsSlots(normalizeRanges(owned), slots);
}

/** The master that a shard without slots has: the one that shall get them. */
export function idleMaster(picture: Picture, { id }: LayoutShard): Speaker | undefined {
  const idle = picture.speakers.filter(
    (speaker) =>
      speaker.node.shard === id && speaker.redis.role === 'master' && !servesSlots(speaker),
  );
  return idle.find(({ node }) => picture.roles.get(node.key) === 'master') ?? idle[0];
}

export function ownSlots(speaker: Speaker): readonly SlotRange[] {
  return speaker.redis.role === 'master' ? (speaker.self?.slots ?? []) : [];
}

export function servesSlots(speaker: Speaker): boolean {
  return countSlots(ownSlots(speaker)) > 0;
}

/** Whether a replica has all that its master has sent, so that it can take over. */
export function isInSync({ redis }: Speaker): boolean {
  const { role, masterLinkUp, syncInProgress, loading } = redis;
  return role === 'replica' && masterLinkUp === true && !syncInProgress && !loading;
}

/** The living members of every shard in their actual roles, as placement's rules want them. */
export function actualMembers(
  shards: readonly ActualShard[],
  domainOf: (speaker: Speaker) => string,
): PlacedMember[] {
  return shards.flatMap(({ shard, masters, replicas }) => {
    const place = (speaker: Speaker, role: PlacedMember['role']): PlacedMember => ({
      node: speaker.node.key,
      shard: shard.id,
      domain: domainOf(speaker),
      role,
    });
    return [
      ...masters.map((speaker) => place(speaker, 'master')),
      ...replicas.map((speaker) => place(speaker, 'replica')),
    ];
  });
}
