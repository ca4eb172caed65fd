/**
 * What must hold of every step of a repair or a change, against what is really there: also of what
 * nobody sees, such as the slots that a stopped node claims in its nodes.conf.
 */
import type { Layout, LayoutNode, LayoutShard } from '../../model/layout.ts';
import type { Observation, RedisObservation, ViewNode } from '../../model/observation.ts';
import type { Attempt } from '../../model/operation.ts';
import { stepKey, type HandoffMasterStep, type Step } from '../../model/step.ts';
import { overlapsSlots } from '../shards.ts';

/** Layouts, and all that is there; `redis` is set for each node that has a nodes.conf. */
export interface Reality {
  readonly layout: Layout;
  readonly former: readonly LayoutNode[];
  readonly observation: Observation;
}

export interface Being {
  readonly node: LayoutNode;
  readonly redis: RedisObservation;
  readonly self: ViewNode;
  readonly speaks: boolean;
}

/** Throws when doing the step now could lose data, the quorum, or the way back of a node. */
export function assertReconcileSafe(reality: Reality, step: Step): void {
  const fail = (why: string) => {
    throw new Error(`unsafe ${stepKey(step)}: ${why}`);
  };
  const { observation } = reality;
  const beings = listBeings(reality);
  switch (step.kind) {
    case 'claimSlots':
      return fail('slots of a living cluster are never given away');
    case 'prepareNode':
    case 'startNode': {
      const key = step.kind === 'startNode' ? step.node : step.plan.node.key;
      const seen = observation.nodes[key];
      const isOurs = seen?.process.marker?.clusterId === reality.layout.clusterId;
      if (!isOurs && (seen?.process.hasData === true || step.kind === 'startNode')) {
        fail('foreign data');
      }
      if (seen?.redis === undefined && ownerOf(reality, beings, key) === undefined) {
        fail('an empty node would be copied by what is left of its shard');
      }
      return;
    }
    case 'stopNode': {
      const state = observation.nodes[step.node]?.process.state;
      if (state !== 'running' && state !== 'unresponsive') return;
      for (const shard of shardsHeldBy(reality, beings, step.node)) {
        const owner = ownerOfShard(beings, shard);
        if (owner === undefined) fail(`no living node owns ${shard.id}`);
        if (owner?.node.key === step.node) fail(`it owns ${shard.id}`);
      }
      return;
    }
    case 'removeNode': {
      const state = observation.nodes[step.node]?.process.state;
      if (step.purge) fail('the data would be gone');
      if (state === 'running' || state === 'unresponsive') fail('it runs');
      for (const shard of shardsHeldBy(reality, beings, step.node)) {
        const owner = ownerOfShard(beings, shard);
        if (owner === undefined || owner.node.key === step.node) fail(`last copy of ${shard.id}`);
      }
      return;
    }
    case 'attachReplica': {
      const being = beings.find(({ node }) => node.key === step.node);
      const owner = ownerOf(reality, beings, step.node);
      if (being === undefined || owner === undefined) return fail('nobody owns its shard');
      if (owner === being || being.self.slots.length > 0) fail('it owns slots');
      if (owner.redis.nodeId !== step.masterNodeId) fail('not to the owner of its shard');
      if (being.redis.role === 'master' && being.redis.keys > 0) fail('it has keys of its own');
      const deserted = beings.find(({ redis }) => redis.nodeId === being.self.masterId);
      if (deserted !== undefined) assertNotDeserted(reality, beings, { deserted, being });
      return;
    }
    case 'handoffMaster':
      return assertHandoff(reality, beings, step);
    case 'forgetNodes':
      return assertForgettable(reality, beings, step.nodeIds);
    case 'setTiming':
      if (step.nodeTimeoutMs !== reality.layout.nodeTimeoutMs) fail('timing is lowered');
      return;
    default:
  }
}

function assertHandoff(reality: Reality, beings: readonly Being[], step: HandoffMasterStep): void {
  const fail = (why: string) => {
    throw new Error(`unsafe ${stepKey(step)}: ${why}`);
  };
  const heir = beings.find(({ node }) => node.key === step.node);
  const owner = ownerOf(reality, beings, step.node);
  if (owner?.redis.nodeId !== step.masterNodeId) fail('not from the owner');
  const owned = reality.layout.shards.filter((shard) => ownerOfShard(beings, shard) === owner);
  if (owned.length !== 1) fail('other slots would go along');
  const isSynced = heir?.speaks === true && heir.redis.masterLinkUp === true;
  if (!isSynced || heir.self.masterId !== step.masterNodeId) fail('it is not in sync');
  if (countOwners(reality, beings) <= reality.layout.shards.length / 2) fail('no quorum');
}

/** One handoff at a time: in the turn, and beside one that a dead controller may have begun. */
export function assertOneHandoff(
  reality: Reality,
  steps: readonly Step[],
  journal: readonly Attempt[],
  now: number,
): void {
  const handoffs = steps.filter((step) => step.kind === 'handoffMaster');
  if (handoffs.length > 1) throw new Error('two handoffs in one turn');
  const [handoff] = handoffs;
  if (handoff === undefined) return;
  const last = new Map(journal.map((attempt) => [attempt.stepKey, attempt]));
  const open = [...last.values()].filter(
    ({ outcome, startedAtMs, stepKey: key }) =>
      outcome === 'running' && key.startsWith('handoffMaster ') && now - startedAtMs < 20_000,
  );
  const beings = listBeings(reality);
  for (const { stepKey: key } of open) {
    const heir = beings.find(({ node }) => `handoffMaster ${node.key}` === key);
    const isOver = heir?.self.masterId === '';
    if (!isOver && key !== stepKey(handoff)) throw new Error(`${key} is in flight`);
  }
}

/** How many shards have a living owner. */
export function countLivingOwners(reality: Reality): number {
  return countOwners(reality, listBeings(reality));
}

function countOwners(reality: Reality, beings: readonly Being[]): number {
  const owners = reality.layout.shards.map((shard) => ownerOfShard(beings, shard));
  return owners.filter((owner) => owner !== undefined).length;
}

/** All that have an identity, wherever and in whatever state they are. */
export function listBeings({ layout, former, observation }: Reality): Being[] {
  return [...layout.nodes, ...former].flatMap((node) => {
    const seen = observation.nodes[node.key];
    const redis = seen?.redis;
    const self = redis?.view.nodes.find((entry) => entry.nodeId === redis.nodeId);
    if (seen === undefined || redis === undefined || self === undefined) return [];
    const isOnline = observation.hosts[node.host]?.status === 'online';
    return [{ node, redis, self, speaks: isOnline && seen.process.state === 'running' }];
  });
}

/** The owner of the shard that the node is laid out for. */
function ownerOf(reality: Reality, beings: readonly Being[], key: string): Being | undefined {
  const node = nodeOf(reality, key);
  const shard = reality.layout.shards.find(({ id }) => id === node?.shard);
  return shard === undefined ? undefined : ownerOfShard(beings, shard);
}

function nodeOf({ layout, former }: Reality, key: string): LayoutNode | undefined {
  return [...layout.nodes, ...former].find((node) => node.key === key);
}

/**
 * Whoever claims the shard's slots with the highest epoch of all, dead or alive; undefined if it is
 * dead. Slots say who that is, and not the layout: a replica that follows the master of another
 * shard is elected for that one.
 */
function ownerOfShard(beings: readonly Being[], shard: LayoutShard): Being | undefined {
  const claimants = beings.filter(({ redis, self }) => isMasterOf({ redis, self }, shard));
  const [top] = claimants.toSorted((a, b) => b.redis.configEpoch - a.redis.configEpoch);
  return top?.speaks === true ? top : undefined;
}

function isMasterOf({ redis, self }: Pick<Being, 'redis' | 'self'>, { slots }: LayoutShard) {
  return redis.role === 'master' && overlapsSlots(self.slots, slots);
}

/** Its own shard, the shards whose slots it claims, and those of the master that it follows. */
function shardsHeldBy(reality: Reality, beings: readonly Being[], key: string): LayoutShard[] {
  const being = beings.find(({ node }) => node.key === key);
  const leader = beings.find(({ redis }) => redis.nodeId === being?.self.masterId);
  const sources = [being, leader].filter((source) => source !== undefined);
  return reality.layout.shards.filter(
    (shard) =>
      shard.id === nodeOf(reality, key)?.shard ||
      sources.some((source) => isMasterOf(source, shard)),
  );
}

function assertNotDeserted(
  { layout }: Reality,
  beings: readonly Being[],
  { deserted, being }: { readonly deserted: Being; readonly being: Being },
): void {
  const shard = layout.shards.find((each) => ownerOfShard(beings, each) === deserted);
  if (shard === undefined || shard.id === being.node.shard) return;
  const isLaidOut = layout.nodes.some(
    (node) =>
      node.shard === shard.id &&
      node.key !== deserted.node.key &&
      !layout.drainedHosts.includes(node.host),
  );
  const others = beings.filter(
    (other) =>
      other !== being &&
      other.speaks &&
      other.self.masterId === deserted.redis.nodeId &&
      other.redis.masterLinkUp === true,
  );
  if (isLaidOut && others.length === 0) {
    throw new Error(`unsafe attachReplica ${being.node.key}: ${deserted.node.key} has no other`);
  }
}

function assertForgettable(
  { layout }: Reality,
  beings: readonly Being[],
  nodeIds: readonly string[],
): void {
  const current = new Set(layout.nodes.map(({ key }) => key));
  for (const id of nodeIds) {
    const fail = (why: string) => {
      throw new Error(`unsafe forgetNodes ${id}: ${why}`);
    };
    const being = beings.find(({ redis }) => redis.nodeId === id);
    if (being !== undefined && current.has(being.node.key)) fail('a node of the layout has it');
    for (const { speaks, self, redis } of beings) {
      if (!speaks) continue;
      if (self.masterId === id) fail('somebody follows it');
      const entry = redis.view.nodes.find(({ nodeId }) => nodeId === id);
      if ((entry?.slots.length ?? 0) > 0) fail('it owns slots');
    }
  }
}
