/** Who is what now, by the nodes' own words: actual roles, which may not be the preferred ones. */
import type { LayoutShard } from '../model/layout.ts';
import { countSlots, type SlotRange } from '../model/slots.ts';
import type { PlacedMember } from '../placement/domains.ts';
import type { Picture, Speaker } from './picture.ts';

export interface ActualShard {
  readonly shard: LayoutShard;
  /** Members that say they are masters and own slots; one, when nothing is wrong. */
  readonly masters: readonly Speaker[];
  /** Nodes that follow one of these masters, whatever shard the layout has them in. */
  readonly replicas: readonly Speaker[];
}

export function actualShards(picture: Picture): ActualShard[] {
  const all = [...picture.speakers, ...picture.formerSpeakers];
  const serving = Map.groupBy(all.filter(servesSlots), ({ node }) => node.shard);
  const following = Map.groupBy(
    all.filter(({ redis }) => redis.role === 'replica'),
    ({ self }) => self?.masterId ?? '',
  );
  return picture.layout.shards.map((shard) => {
    const masters = serving.get(shard.id) ?? [];
    const replicas = masters.flatMap(({ redis }) => following.get(redis.nodeId) ?? []);
    return { shard, masters, replicas };
  });
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
