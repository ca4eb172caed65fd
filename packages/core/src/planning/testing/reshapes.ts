/** Random next layouts: other numbers of shards and replicas, slots anywhere. Nodes that stay keep their shard. */
import * as fc from 'fast-check';
import { busPortOf, nodeKey, type Layout, type LayoutNode } from '../../model/layout.ts';
import { normalizeRanges, SLOT_COUNT, type SlotRange } from '../../model/slots.ts';

export interface Reshape {
  readonly shards: number;
  readonly replicas: number;
  /** Which of the present shards goes first when there are to be fewer. */
  readonly dropped: number;
  /** Runs of slots, each as its length against the others' and the shard that gets it. */
  readonly runs: readonly { readonly weight: number; readonly shard: number }[];
}

export const reshapes: fc.Arbitrary<Reshape> = fc.record({
  shards: fc.integer({ min: 3, max: 6 }),
  replicas: fc.integer({ min: 0, max: 2 }),
  dropped: fc.nat({ max: 5 }),
  runs: fc.array(fc.record({ weight: fc.integer({ min: 1, max: 9 }), shard: fc.nat({ max: 5 }) }), {
    minLength: 1,
    maxLength: 10,
  }),
});

/**
 * @param hosts `h1` to `h<hosts>`.
 * @param past Nodes of earlier layouts, which may be there still: placement takes other ports.
 */
export function reshape(
  current: Layout,
  wish: Reshape,
  { hosts, past }: { readonly hosts: number; readonly past: readonly LayoutNode[] },
): Layout {
  const known = [...current.shards.map(({ id }) => id), ...past.map(({ shard }) => shard)];
  const highest = Math.max(...known.map((id) => Number(id.slice(1))));
  const kept = current.shards.map(({ id }) => id);
  while (kept.length > wish.shards) kept.splice(wish.dropped % kept.length, 1);
  const added = Array.from(
    { length: wish.shards - kept.length },
    (_, at) => `s${highest + 1 + at}`,
  );
  const ids = [...kept, ...added];
  const taken = new Set([...current.nodes, ...past].map(({ key }) => key));
  const nodes = ids.flatMap((shard, at) => {
    const own = current.nodes.filter((node) => node.shard === shard).slice(0, wish.replicas + 1);
    const free = Array.from({ length: hosts }, (_, index) => `h${((index + at) % hosts) + 1}`);
    const others = free.filter((host) => !own.some((node) => node.host === host));
    const missing = others.slice(0, wish.replicas + 1 - own.length);
    return [
      ...own,
      ...missing.map((host, index) =>
        place({ host, shard, taken, isFirst: own.length + index === 0 }),
      ),
    ];
  });
  return { ...current, number: current.number + 1, shards: spread(ids, wish), nodes };
}

function place(at: {
  readonly host: string;
  readonly shard: string;
  readonly taken: Set<string>;
  readonly isFirst: boolean;
}): LayoutNode {
  const { host, shard, taken, isFirst } = at;
  let port = 6379;
  while (taken.has(nodeKey(host, port))) port += 1;
  const key = nodeKey(host, port);
  taken.add(key);
  return {
    key,
    host,
    address: `10.0.0.${host.slice(1)}`,
    port,
    busPort: busPortOf(port),
    shard,
    preferredRole: isFirst ? 'master' : 'replica',
    configEpoch: 0,
  };
}

function spread(ids: readonly string[], { runs }: Reshape) {
  const total = runs.reduce((sum, { weight }) => sum + weight, 0);
  const slots = new Map<string, SlotRange[]>(ids.map((id) => [id, []]));
  let passed = 0;
  for (const { weight, shard } of runs) {
    const start = Math.round((passed / total) * SLOT_COUNT);
    passed += weight;
    const end = Math.round((passed / total) * SLOT_COUNT) - 1;
    slots.get(ids[shard % ids.length] ?? '')?.push({ start, end });
  }
  return ids.map((id) => ({ id, slots: normalizeRanges(slots.get(id) ?? []) }));
}
