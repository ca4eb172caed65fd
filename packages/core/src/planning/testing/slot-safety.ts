/**
 * What must hold of every step of a change of shape, slot by slot, against what is really there:
 * also of what nobody sees, such as the slots that a stopped node claims in its nodes.conf.
 */
import { SLOT_COUNT, type SlotRange } from '../../model/slots.ts';
import type { Observation } from '../../model/observation.ts';
import { stepKey, type MoveSlotsStep, type Step } from '../../model/step.ts';
import { settle } from '../settle.ts';
import { listBeings, type Being, type Reality } from './reconcile-safety.ts';
import { realityOf, type Law, type World } from './reconcile-world.ts';

export const MOVE_LAW: Law = { assertSafe: assertMoveSafe, countServed, isStanding };

const NOBODYS: readonly (Being | undefined)[] = Array.from({ length: SLOT_COUNT });

/** Of each slot: whoever claims it with the highest epoch of all, dead or alive. */
function trueOwners(beings: readonly Being[]): (Being | undefined)[] {
  const owners = [...NOBODYS];
  const byEpoch = beings.toSorted((a, b) => a.redis.configEpoch - b.redis.configEpoch);
  for (const being of byEpoch) {
    if (being.redis.role !== 'master') continue;
    for (const { start, end } of being.self.slots) owners.fill(being, start, end + 1);
  }
  return owners;
}

function countServed(reality: Reality): number {
  return trueOwners(listBeings(reality)).filter((owner) => owner?.speaks === true).length;
}

function isStanding(world: World, struck: Observation): boolean {
  const before = realityOf(world);
  const after = { ...before, observation: settle(struck) };
  if (countServed(after) < SLOT_COUNT) return false;
  // Keys that are on their way are where they are: at a master, and nowhere else before it has slots.
  const living = new Set(listBeings(after).flatMap(({ node, speaks }) => (speaks ? node.key : [])));
  return listBeings(before).every(
    (being) => !isFilling(being) || living.has(being.node.key) || hasIdentity(after, being),
  );
}

function hasIdentity({ observation }: Reality, { node }: Being): boolean {
  const seen = observation.nodes[node.key];
  return seen?.redis !== undefined && seen.process.state !== 'crash-loop';
}

/** A master without slots to which some are on their way: its keys are nowhere else. */
function isFilling({ redis, self }: Being): boolean {
  return redis.role === 'master' && self.slots.length === 0 && self.importing.length > 0;
}

function assertMoveSafe(reality: Reality, step: Step): void {
  const fail = (why: string) => {
    throw new Error(`unsafe ${stepKey(step)}: ${why}`);
  };
  const beings = listBeings(reality);
  const owners = trueOwners(beings);
  const at = (key: string) => beings.find(({ node }) => node.key === key);
  switch (step.kind) {
    case 'claimSlots':
      return fail('slots of a living cluster are never given away');
    case 'startNode':
    case 'prepareNode': {
      const key = step.kind === 'startNode' ? step.node : step.plan.node.key;
      if (at(key) !== undefined) return;
      const rival = findEndpointOwner(reality, { beings, owners }, key);
      if (rival !== undefined) fail(`empty, and ${rival} gives that endpoint slots`);
      return;
    }
    case 'stopNode':
    case 'removeNode': {
      const being = at(step.node);
      const seen = reality.observation.nodes[step.node];
      const isUp = seen?.process.state === 'running' || seen?.process.state === 'unresponsive';
      if (step.kind === 'removeNode' && (isUp || step.purge)) fail('it runs, or is gone for good');
      if (step.kind === 'stopNode' && !isUp) return;
      if (being === undefined) return;
      assertNotLast(owners, being, fail);
      if (isFilling(being)) fail('it has keys of slots that are on their way');
      assertNoMover(reality, [step.node], fail);
      const isDrained = being.redis.role === 'master' && being.self.slots.length === 0;
      const isGone = !reality.layout.nodes.some(({ key }) => key === step.node);
      if (isDrained && isGone && being.redis.keys > 0) fail('it has keys');
      return;
    }
    case 'attachReplica': {
      const being = at(step.node);
      const master = beings.find(({ redis }) => redis.nodeId === step.masterNodeId);
      if (being === undefined || master?.speaks !== true) return fail('nobody is there');
      if (owners.includes(being) || being.self.slots.length > 0) fail('it owns slots');
      if (being.redis.role === 'master' && being.redis.keys > 0) fail('it has keys of its own');
      if (being.redis.role === 'replica') assertNotLast(owners, being, fail);
      assertNoMover(reality, [step.node, step.master], fail);
      return;
    }
    case 'handoffMaster': {
      const heir = at(step.node);
      const isSynced = heir?.speaks === true && heir.redis.masterLinkUp === true;
      if (!isSynced || heir.self.masterId !== step.masterNodeId) fail('it is not in sync');
      const master = at(step.master);
      if ((master?.self.migrating.length ?? 0) + (master?.self.importing.length ?? 0) > 0) {
        fail('slots of it are half way');
      }
      assertNoMover(reality, [step.node, step.master], fail);
      return;
    }
    case 'moveSlots':
      return assertMovable(reality, step, { beings, owners, fail });
    case 'forgetNodes':
      for (const owner of new Set(owners)) {
        if (step.nodeIds.includes(owner?.redis.nodeId ?? '')) fail('it owns slots');
      }
      return;
    default:
  }
}

type Fail = (why: string) => void;

/** What it owns nobody else has, and what it copies somebody else must have. */
function assertNotLast(owners: readonly (Being | undefined)[], being: Being, fail: Fail): void {
  if (owners.includes(being)) fail('it owns slots');
  const leader = owners.find((owner) => owner?.redis.nodeId === being.self.masterId);
  if (leader !== undefined && !leader.speaks) fail('it may be the last copy of its dead master');
  const claimed = being.redis.role === 'master' ? being.self.slots : [];
  for (const { start, end } of claimed) {
    const isServed = owners.slice(start, end + 1).every((owner) => owner?.speaks === true);
    if (!isServed) fail('nobody living owns what it claims');
  }
}

function findEndpointOwner(
  { layout }: Reality,
  { beings, owners }: Pick<MoveCase, 'beings' | 'owners'>,
  key: string,
): string | undefined {
  const node = layout.nodes.find((candidate) => candidate.key === key);
  const isServed = ({ start, end }: SlotRange) =>
    owners.slice(start, end + 1).every((owner) => owner?.speaks === true);
  return beings.find(
    ({ speaks, redis }) =>
      speaks &&
      redis.view.nodes.some(
        ({ address, port, slots }) =>
          address === node?.address && port === node.port && !slots.every(isServed),
      ),
  )?.node.key;
}

function listMovers({ observation }: Reality) {
  return Object.values(observation.hosts).flatMap(({ movers }) => movers);
}

function assertNoMover(reality: Reality, keys: readonly string[], fail: Fail): void {
  const mover = listMovers(reality).find(
    ({ source, target }) => keys.includes(source) || keys.includes(target),
  );
  if (mover !== undefined) fail(`${mover.source} > ${mover.target} is at work`);
}

interface MoveCase {
  readonly beings: readonly Being[];
  readonly owners: readonly (Being | undefined)[];
  readonly fail: Fail;
}

function assertMovable(reality: Reality, step: MoveSlotsStep, given: MoveCase): void {
  const { beings, owners, fail } = given;
  const source = beings.find(({ redis }) => redis.nodeId === step.source.nodeId);
  const target = beings.find(({ redis }) => redis.nodeId === step.target.nodeId);
  if (source?.speaks !== true || target?.speaks !== true) return fail('an end is not there');
  if (source === target) fail('from a node to itself');
  if (source.redis.role !== 'master' || target.redis.role !== 'master') fail('an end is no master');
  for (const mover of listMovers(reality)) {
    if (mover.source === step.target.node || mover.target === step.source.node) {
      fail(`${mover.source} > ${mover.target} is at work in the other role`);
    }
  }
  const isOpen = (slot: number) =>
    [source, target].some(({ self }) =>
      [...self.migrating, ...self.importing].some((open) => open.slot === slot),
    );
  for (const slot of listSlots(step.slots)) {
    if (owners[slot] !== source && !isOpen(slot)) fail(`slot ${slot} is not the source's`);
  }
  const copies = beings.filter(
    ({ self, redis, speaks }) =>
      speaks && self.masterId === target.redis.nodeId && redis.masterLinkUp === true,
  );
  const wanted = reality.layout.nodes.filter(({ shard }) => shard === target.node.shard);
  // What a node that shall be a replica serves goes first: it may be the one that becomes the copy.
  const isMaster = reality.layout.nodes.some(
    ({ key, preferredRole }) => key === source.node.key && preferredRole === 'master',
  );
  if (isMaster && wanted.length > 1 && copies.length === 0) fail('the target has no copy');
}

function listSlots(ranges: readonly SlotRange[]): number[] {
  return ranges.flatMap(({ start, end }) =>
    Array.from({ length: end - start + 1 }, (_, at) => start + at),
  );
}
