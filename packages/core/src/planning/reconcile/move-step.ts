/** One pair's move as a step: everybody whom the mover has to speak to, and whether it may be tried. */
import { chooseEngine, type EngineChoice } from '../../migration/choose-engine.ts';
import type { MoveEnd, MoveEngine } from '../../model/migration.ts';
import type { Attempt } from '../../model/operation.ts';
import type { ViewNode } from '../../model/observation.ts';
import { countSlots, type SlotRange } from '../../model/slots.ts';
import { stepKey, type MoveSlotsStep } from '../../model/step.ts';
import { isTransient, tryStep, type AttemptIndex } from '../attempts.ts';
import { viewOf, type LiveNode } from '../situation.ts';
import type { Turn } from '../turn.ts';
import type { DueMove } from './due-moves.ts';
import { endpointOf, isTroubled, type Fleet } from './fleet.ts';

/** The engine of a pair, or why the one that was asked for cannot do it. */
export function engineFor(fleet: Fleet, { source, target, open }: DueMove): EngineChoice {
  const ends = [source, target];
  const replicas = ends.flatMap((end) => replicasOf(fleet, end));
  const nodes = [
    ...ends.map(({ node, redis }) => ({ node: node.key, engines: redis.moveEngines })),
    ...replicas.map(({ node, nodeId }) => {
      return { node, engines: fleet.liveById.get(nodeId)?.redis.moveEngines };
    }),
  ];
  const { move: options, history } = fleet;
  return chooseEngine({ wanted: options.engine, nodes, slotsOpen: open.length > 0, history });
}

/** What of the pair is moved in one go: half open slots are finished before an atomic engine begins. */
export function slotsToMove(fleet: Fleet, due: DueMove): readonly SlotRange[] {
  if (due.open.length === 0) return due.slots;
  const later = engineFor(fleet, { ...due, open: [] });
  return later.kind === 'chosen' && later.engine === 'migrate' ? due.slots : due.open;
}

export function moveStep(fleet: Fleet, due: DueMove, engine: MoveEngine): MoveSlotsStep {
  const { source, target } = due;
  // Each end's agent drives the engine that its own server runs.
  const at = engine === 'redis-atomic' ? target.node : source.node;
  return {
    kind: 'moveSlots',
    host: at.host,
    node: at.key,
    engine,
    source: endOf(source),
    target: endOf(target),
    slots: slotsToMove(fleet, due),
    sourceReplicas: replicasOf(fleet, source),
    targetReplicas: replicasOf(fleet, target),
    otherMasters: otherMasters(fleet, due),
    nodeTimeoutMs: fleet.layout.nodeTimeoutMs,
    options: fleet.move,
  };
}

/**
 * After so many it is tried again every few seconds, for as long as whoever is away needs to come
 * back: a reshard that took an hour must not end because a host boots.
 */
const TRANSIENT_REMEMBERED = 4;
/** What is away for longer than a boot with its disks checked needs a person. */
const PATIENCE_MS = 30 * 60_000;

/** Bounded tries, of which only those count that got nowhere and that no node's return would help. */
export function tryMove(fleet: Fleet, step: MoveSlotsStep): Turn {
  const { source, target, slots } = step;
  const count = countSlots(slots);
  return tryStep(withoutProgress(fleet, stepKey(step)), step, {
    now: fleet.now,
    what: `moving ${count} slots from ${source.node} to ${target.node}`,
    subject: target.node,
    remedy:
      `redrover cluster check ${fleet.layout.cluster} shows what is in the way; then ` +
      `redrover cluster repair ${fleet.layout.cluster}`,
  });
}

/** What moved something was no failure of the rest; what a person called off was none at all. */
function withoutProgress({ attempts, now }: Fleet, key: string): AttemptIndex {
  const tries = (attempts.get(key) ?? []).filter(({ errorCode }) => errorCode !== 'cancelled');
  const last = tries.findLastIndex(({ move }) => (move?.slotsMoved ?? 0) > 0);
  return new Map([[key, patiently(last < 0 ? tries : tries.slice(last), now)]]);
}

function patiently(tries: readonly Attempt[], now: number): readonly Attempt[] {
  const passing = tries.filter(isTransient);
  const [first] = passing;
  if (first !== undefined && now - first.startedAtMs > PATIENCE_MS) return tries;
  const last = tries.findLast(({ outcome }) => outcome !== 'running');
  if (last === undefined || !isTransient(last)) return tries.filter((each) => !isTransient(each));
  const kept = new Set(passing.slice(-TRANSIENT_REMEMBERED));
  return tries.filter((each) => kept.has(each) || each.outcome !== 'failed');
}

function endOf({ node, redis }: LiveNode): MoveEnd {
  return { node: node.key, nodeId: redis.nodeId, address: node.address, port: node.port };
}

/** All that follow the master, those that only the cluster reaches included: any may be elected. */
function replicasOf(fleet: Fleet, { node, redis }: LiveNode): MoveEnd[] {
  const living = fleet.live.filter(({ self }) => self?.masterId === redis.nodeId).map(endOf);
  const known = new Set(living.map(({ nodeId }) => nodeId));
  const master = fleet.liveByKey.get(node.key);
  const others = master === undefined ? [] : [...viewOf(fleet, master).values()];
  const remote = others.filter(
    (entry) => entry.masterId === redis.nodeId && !known.has(entry.nodeId),
  );
  return [...living, ...remote.flatMap((entry) => remoteEnd(fleet, entry))];
}

/** Witnesses, and those that are told: all masters with slots first, then those without. */
function otherMasters(fleet: Fleet, { source, target }: DueMove): MoveEnd[] {
  const masters = fleet.live.filter(
    (live) => live.redis.role === 'master' && live !== source && live !== target,
  );
  const known = new Set(fleet.live.map(({ redis }) => redis.nodeId));
  const remote = [...viewOf(fleet, source).values()].filter(
    (entry) => entry.slots.length > 0 && !known.has(entry.nodeId),
  );
  const hasSlots = ({ self }: LiveNode) => Number((self?.slots.length ?? 0) > 0);
  const settled = masters.filter((live) => !fleet.strangers.has(live));
  return [
    ...settled.toSorted((a, b) => hasSlots(b) - hasSlots(a)).map(endOf),
    ...remote.flatMap((entry) => remoteEnd(fleet, entry)),
  ];
}

function remoteEnd(fleet: Fleet, entry: ViewNode): MoveEnd[] {
  const { nodeId, address, port, flags } = entry;
  const node = fleet.byEndpoint.get(endpointOf(entry));
  if (isTroubled(flags) || node === undefined) return [];
  return [{ node: node.key, nodeId, address, port }];
}
