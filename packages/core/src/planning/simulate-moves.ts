/**
 * What moving slots does to an observation: the target owns them under a higher epoch, and has
 * their keys. Part of the model of `simulate.ts`.
 */
import type { Observation, OpenSlot, RedisObservation, ViewNode } from '../model/observation.ts';
import { countSlots, normalizeRanges, type SlotRange } from '../model/slots.ts';
import type { MoveSlotsStep } from '../model/step.ts';
import { intersectSlots, subtractSlots } from './shards.ts';
import { changeNode, changeSelf } from './simulate-start.ts';

/**
 * Moves what of these slots the source still owns; nothing if either end is not who was meant, or
 * no master any more. `only`: a mover that was cut off got no further than these.
 */
export function applyMove(
  observation: Observation,
  step: Pick<MoveSlotsStep, 'source' | 'target' | 'slots'>,
  only: readonly SlotRange[] = step.slots,
): Observation {
  const source = endOf(observation, step.source);
  const target = endOf(observation, step.target);
  if (source === undefined || target === undefined) return observation;
  const moved = intersectSlots(intersectSlots(source.self.slots, step.slots), only);
  const configEpoch = 1 + highestEpoch(observation);
  const isAll = countSlots(moved) === countSlots(source.self.slots);
  const share = isAll ? 1 : countSlots(moved) / Math.max(1, countSlots(source.self.slots));
  const keys = Math.floor(source.redis.keys * share);
  const isTaken = ({ slot }: OpenSlot) =>
    only.some(({ start, end }) => start <= slot && slot <= end);
  const closed = (self: ViewNode): ViewNode => ({
    ...self,
    migrating: self.migrating.filter((open) => !isTaken(open)),
    importing: self.importing.filter((open) => !isTaken(open)),
  });
  const emptied = changeNode(observation, step.source.node, (node) => ({
    ...node,
    redis: changeSelf({ ...source.redis, keys: source.redis.keys - keys }, (self) => ({
      ...closed(self),
      slots: subtractSlots(self.slots, moved),
    })),
  }));
  const isGained = moved.length > 0;
  return changeNode(emptied, step.target.node, (node) => ({
    ...node,
    redis: {
      ...changeSelf({ ...target.redis, keys: target.redis.keys + keys }, (self) => ({
        ...closed(self),
        slots: normalizeRanges([...self.slots, ...moved]),
        configEpoch: isGained ? configEpoch : self.configEpoch,
      })),
      configEpoch: isGained ? configEpoch : target.redis.configEpoch,
      currentEpoch: isGained ? configEpoch : target.redis.currentEpoch,
    },
  }));
}

interface End {
  readonly redis: RedisObservation;
  readonly self: ViewNode;
}

function endOf({ nodes }: Observation, end: MoveSlotsStep['source']): End | undefined {
  const seen = nodes[end.node];
  const redis = seen?.redis;
  if (redis?.nodeId !== end.nodeId || seen?.process.state !== 'running') return undefined;
  const self = redis.view.nodes.find((entry) => entry.nodeId === redis.nodeId);
  return redis.role === 'master' && self !== undefined ? { redis, self } : undefined;
}

function highestEpoch({ nodes }: Observation): number {
  return Math.max(...Object.values(nodes).map(({ redis }) => redis?.currentEpoch ?? 0));
}
