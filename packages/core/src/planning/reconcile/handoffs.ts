/**
 * Brings each shard's master to where the layout wants it: one handoff at a time in the whole
 * cluster, each only to a replica that is in sync, and only while everybody is calm.
 */
import type { Finding } from '../../model/finding.ts';
import { stepKey, type HandoffMasterStep } from '../../model/step.ts';
import { trailOf, tryStep } from '../attempts.ts';
import { isAttached } from '../replicas.ts';
import type { LiveNode } from '../situation.ts';
import { blocking, IDLE, isIdle, mergeTurns, waiting, type Turn } from '../turn.ts';
import { missingCalm } from './agreement.ts';
import { clearOfMoves } from './clear-of-moves.ts';
import {
  everyShard,
  hasMajority,
  hasSlots,
  isAgreed,
  isInSync,
  shallRun,
  shardOwnedBy,
  type Fleet,
  type OwnedShard,
} from './fleet.ts';
import { moveOn } from './movers.ts';
import { needsReaddress } from './readdress.ts';
import { listUndecidedSlots, openSlotsOf } from './undecided-slots.ts';

/**
 * How far a replica's offset may be behind its master's. Both are read at different moments, a
 * second apart under load; a real backlog is caught up by Redis while it holds the clients, which
 * it does for 5 s at the most (cluster.c, CLUSTER_MF_TIMEOUT).
 */
const LAG_LIMIT_BYTES = 32 * 1024 * 1024;
/** Each failed handoff costs clients a pause of seconds; what failed three times has a cause. */
const HANDOFF_TRIES = 3;
/** No agent works on a handoff for longer, so one that a dead controller began is over by then. */
const IN_FLIGHT_LIMIT_MS = 30_000;

interface Handoff {
  readonly owner: LiveNode;
  readonly heir: LiveNode;
  /** By how much it evens out the masters of the two hosts. */
  readonly gain: number;
}

/** `urgent`: only where a master must leave its host or its address, which waits for nothing else. */
export function planHandoffs(fleet: Fleet, which: 'urgent' | 'all' = 'all'): Turn {
  const wanted = fleet.shards
    .filter((owned) => which === 'all' || isUrgent(fleet, owned))
    .map((owned) => wantHandoff(fleet, owned));
  // What is in the way is said once, when all is looked at.
  const obstacles =
    which === 'urgent' ? IDLE : mergeTurns(wanted.flatMap(({ turn }) => turn ?? []));
  const due = wanted.flatMap(({ handoff }) => handoff ?? []).sort((a, b) => b.gain - a.gain);
  if (which === 'urgent' && due.every(({ heir }) => isGivenUp(fleet, heir))) return IDLE;
  const inFlight = findInFlight(fleet);
  if (inFlight !== undefined) {
    const same = due.find(({ heir }) => stepKeyOf(heir) === inFlight);
    if (same === undefined) return waiting(fleet.layout.cluster, `${inFlight} is under way`);
    return tryHandoff(fleet, same);
  }
  const open = due.filter(({ heir }) => !isGivenUp(fleet, heir));
  const refused = which === 'urgent' ? [] : due.filter(({ heir }) => isGivenUp(fleet, heir));
  const refusals = mergeTurns([obstacles, ...refused.map((handoff) => refuse(fleet, handoff))]);
  const [first] = open;
  if (first === undefined) return refusals;
  const moving = clearOfMoves(fleet, [first.heir.node, first.owner.node]);
  if (!isIdle(moving)) return mergeTurns([refusals, moving]);
  const unrest = missingCalm(fleet, fleet.moves.length > 0 ? 'moving' : 'still');
  if (unrest.length > 0) return mergeTurns([refusals, { ...IDLE, waits: unrest }]);
  if (!hasMajority(fleet)) return mergeTurns([refusals, waiting(fleet.layout.cluster, 'quorum')]);
  return mergeTurns([refusals, tryHandoff(fleet, first)]);
}

function isUrgent(fleet: Fleet, { owner }: OwnedShard): boolean {
  if (owner === undefined || !fleet.roles.has(owner.node.key)) return false;
  return !shallRun(fleet, owner.node) || needsReaddress(fleet, owner);
}

/** Masters that have to stay where they are until a person has decided about slots of theirs. */
export function findStayingMasters(fleet: Fleet): Finding[] {
  return fleet.shards.flatMap((owned) => wantHandoff(fleet, owned).staying ?? []);
}

interface Wish {
  readonly handoff?: Handoff;
  readonly turn?: Turn;
  readonly staying?: Finding;
}

/** The handoff of a shard, where one is wanted and possible; or why it is not. */
function wantHandoff(fleet: Fleet, owned: OwnedShard): Wish {
  const { owner, shard } = owned;
  // Redis elects no master for a shard without slots.
  if (owner === undefined || !isAgreed(owned) || !hasSlots(owned)) return {};
  const isOfOther = owner.node.shard !== shard.id;
  const isWanted = !isOfOther && fleet.roles.get(owner.node.key) === 'master';
  const mustLeave = isOfOther || !shallRun(fleet, owner.node) || needsReaddress(fleet, owner);
  if (isWanted && !mustLeave) return {};
  // A new master has not heard of them, and would say of keys that are gone ahead that there are none.
  const isMoving = moveOn(fleet, [owner.node]) !== undefined;
  const open = openSlotsOf(owner);
  if (open.length > 0 && !isMoving) return mustLeave ? refuseOpen(fleet, owner, open) : {};
  const followers = owned.members.filter(
    (live) =>
      // Who is master, of this shard or of another one, hands that over first.
      shardOwnedBy(fleet, live) === undefined &&
      shallRun(fleet, live.node) &&
      !needsReaddress(fleet, live) &&
      // One that cannot be attached will not become one.
      (isAttached(live, owner) || !fleet.isImpaired),
  );
  const home = followers.find((live) => fleet.roles.get(live.node.key) === 'master');
  const heir = home ?? (mustLeave ? chooseHeir(fleet, owner, followers) : undefined);
  // Its preferred master is away: another turn, or another operation, brings it home.
  if (heir === undefined) return mustLeave ? { turn: refuseLeaving(fleet, owner, shard.id) } : {};
  const gain = countMasters(fleet, owner.node.host) - countMasters(fleet, heir.node.host);
  return { handoff: { owner, heir, gain } };
}

/** In sync first, then on the host with the fewest masters, then in layout order. */
function chooseHeir(
  fleet: Fleet,
  owner: LiveNode,
  followers: readonly LiveNode[],
): LiveNode | undefined {
  return [...followers].sort(
    (a, b) =>
      Number(isInSync(b, owner)) - Number(isInSync(a, owner)) ||
      countMasters(fleet, a.node.host) - countMasters(fleet, b.node.host),
  )[0];
}

function countMasters(fleet: Fleet, host: string): number {
  return everyShard(fleet).filter(({ owner }) => owner?.node.host === host).length;
}

function tryHandoff(fleet: Fleet, { owner, heir }: Handoff): Turn {
  const { node } = heir;
  if (!isInSync(heir, owner)) {
    return waiting(node.key, `not in sync with ${owner.node.key} yet`);
  }
  const lagBytes = owner.redis.replicationOffset - heir.redis.replicationOffset;
  if (lagBytes > LAG_LIMIT_BYTES) {
    return waiting(node.key, `${lagBytes} bytes behind ${owner.node.key}`);
  }
  return tryStep(fleet.attempts, handoffStep(heir, owner), {
    now: fleet.now,
    what: `handing shard ${node.shard} from ${owner.node.key} to ${node.key}`,
    subject: node.key,
    remedy: `redrover cluster check ${fleet.layout.cluster} shows what is in the way`,
  });
}

function handoffStep({ node }: LiveNode, owner: LiveNode): HandoffMasterStep {
  return {
    kind: 'handoffMaster',
    host: node.host,
    node: node.key,
    master: owner.node.key,
    masterNodeId: owner.redis.nodeId,
  };
}

const PREFIX = 'handoffMaster ';

function stepKeyOf(heir: LiveNode): string {
  return stepKey(handoffStep(heir, heir));
}

/** The key of a handoff that may be under way still. */
function findInFlight({ attempts, now }: Fleet): string | undefined {
  for (const [key, list] of attempts) {
    const last = key.startsWith(PREFIX) ? list.at(-1) : undefined;
    if (last?.outcome !== 'running') continue;
    const sinceMs = now - last.startedAtMs;
    if (sinceMs >= 0 && sinceMs < IN_FLIGHT_LIMIT_MS) return key;
  }
  return undefined;
}

function isGivenUp(fleet: Fleet, heir: LiveNode): boolean {
  return trailOf(fleet.attempts, stepKeyOf(heir)).failures.length >= HANDOFF_TRIES;
}

function refuse(fleet: Fleet, { heir, owner }: Handoff): Turn {
  const { failures } = trailOf(fleet.attempts, stepKeyOf(heir));
  return blocking({
    rule: 'step-failed',
    subject: heir.node.key,
    message:
      `${owner.node.key} did not hand over to ${heir.node.key} in ${failures.length} tries: ` +
      (failures.at(-1)?.message ?? ''),
    evidence: failures.map((failure) => `${failure.errorCode ?? 'internal'}: ${failure.message}`),
    remedy: `redrover cluster check ${fleet.layout.cluster} shows what is in the way`,
  });
}

function refuseOpen(fleet: Fleet, { node }: LiveNode, open: readonly number[]): Wish {
  const found = {
    rule: 'open-slots-in-the-way',
    subject: node.key,
    message: `Node ${node.key} hands nothing over while slots of it are half way to another node.`,
    evidence: [`open: ${open.join(' ')}`],
    remedy: 'Settle these slots first: redrover cluster check shows who has their keys',
  };
  const undecided = listUndecidedSlots(fleet);
  // What is to be done about them is told beside it.
  if (open.every((slot) => undecided.has(slot)))
    return { staying: { ...found, severity: 'warning' } };
  return { turn: blocking(found) };
}

function refuseLeaving(fleet: Fleet, { node }: LiveNode, shard: string): Turn {
  const others = fleet.layout.nodes.filter(
    (other) => other.shard === shard && other.key !== node.key && shallRun(fleet, other),
  );
  return blocking({
    rule: 'no-heir',
    subject: node.key,
    message:
      `Node ${node.key} is to stop, and shard ${shard} has no other node that runs and could be ` +
      'master.',
    evidence:
      others.length === 0
        ? ['the layout gives the shard no other node that may run']
        : others.map(
            ({ key }) =>
              `${key} ${fleet.liveByKey.has(key) ? 'is no replica of it' : 'does not run'}`,
          ),
    remedy:
      others.length === 0
        ? `Move its nodes instead (redrover host drain ${node.host} --move), or add replicas`
        : `Bring ${others.map((other) => other.key).join(' or ')} back first`,
  });
}
