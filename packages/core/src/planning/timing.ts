/**
 * Lowers the node timeout while a cluster is formed, and always puts it back.
 *
 * Redis holds a master's state at `fail` for min(node timeout, 5 s) after it has heard of its
 * slots, and pings by the node timeout (cluster.c, clusterUpdateState and clusterCron), so that a
 * short one forms a cluster in half a second instead of five. It is safe only while replicas do
 * not fail over, and only before anybody uses the cluster; both are set in memory only, so that
 * a restart of a node puts them back as well.
 */
import { countSlots, normalizeRanges, SLOT_COUNT } from '../model/slots.ts';
import type { Layout } from '../model/layout.ts';
import type { ProcessState } from '../model/observation.ts';
import { stepKey, type SetTimingStep } from '../model/step.ts';
import { tryStep } from './attempts.ts';
import { allLive, seenNode, viewOf, type LiveNode, type Situation } from './situation.ts';
import { IDLE, mergeTurns, waiting, type Turn } from './turn.ts';

/** Below this Redis gains nothing: it waits at least 500 ms (CLUSTER_MIN_REJOIN_DELAY). */
const SHORTEST_TIMEOUT_MS = 500;
/**
 * Every node pings every other twice in a node timeout. Sixty nodes on two busy cores never got
 * out of calling each other failed at 500 ms, and formed in 4 s at 1000 ms and at 1500 ms.
 */
const TIMEOUT_PER_NODE_MS = 20;
/** Three times what sixty nodes took on a machine that was busy with other things. */
const FORMING_WINDOW_MS = 15_000;

export interface Timing {
  readonly nodeTimeoutMs: number;
  readonly replicaNoFailover: boolean;
}

/** `lower`: shorten it. `keep`: leave it as it is. `restore`: as the layout wants it. */
export type TimingMode = 'lower' | 'keep' | 'restore';

/** The timing that the layout's config gives a node when it starts. */
export function wantedTiming(layout: Layout): Timing {
  const option =
    layout.config['cluster-replica-no-failover'] ?? layout.config['cluster-slave-no-failover'];
  return { nodeTimeoutMs: layout.nodeTimeoutMs, replicaNoFailover: option === 'yes' };
}

/** The timing under which a cluster of this size is formed. */
export function formingTiming({ nodes }: Layout): Timing {
  const nodeTimeoutMs = Math.max(SHORTEST_TIMEOUT_MS, nodes.length * TIMEOUT_PER_NODE_MS);
  return { nodeTimeoutMs, replicaNoFailover: true };
}

/**
 * What to do about timing now.
 *
 * Never `lower` once the cluster was usable: a key anywhere, or a node that says `ok` with all
 * slots covered. Without the journal that tells when the lowering began, or when it has lasted
 * too long, a short timing is put back, which may make the creation slower.
 */
export function chooseTimingMode(situation: Situation, formed: boolean): TimingMode {
  const { layout, live, now } = situation;
  if (situation.kind === 'remove' || formed || !allRunning(situation)) return 'restore';
  if (layout.nodeTimeoutMs <= formingTiming(layout).nodeTimeoutMs) return 'restore';
  if (live.some((entry) => entry.redis.keys > 0)) return 'restore';
  const begunAtMs = beganLowering(situation);
  const open = begunAtMs !== undefined && isWithin(FORMING_WINDOW_MS, now - begunAtMs);
  if (begunAtMs !== undefined && !open) return 'restore';
  // A replica does not answer while it loads what its master sent: no reason to change course.
  if (allLive(situation) && !live.some((entry) => seemsUsable(situation, entry))) return 'lower';
  return open ? 'keep' : 'restore';
}

/** Since a time in the future nothing is known: a clock that was set back must not hold it open. */
function isWithin(windowMs: number, sinceMs: number): boolean {
  return sinceMs >= 0 && sinceMs < windowMs;
}

function allRunning({ layout, observation }: Situation): boolean {
  return layout.nodes.every(
    (node) =>
      observation.hosts[node.host]?.status === 'online' &&
      observation.nodes[node.key]?.process.state === 'running',
  );
}

export function planTiming(situation: Situation, mode: TimingMode): Turn {
  if (mode === 'keep') return IDLE;
  const { layout } = situation;
  const target = mode === 'lower' ? formingTiming(layout) : wantedTiming(layout);
  return mergeTurns(situation.live.map((live) => planNodeTiming(situation, live, target)));
}

/**
 * The steps that put back the timing of every node that answers, whatever else is wrong: what is
 * left to do when an operation is cancelled or cannot go on.
 */
export function planTimingRestore(situation: Situation): Turn {
  return planTiming(situation, 'restore');
}

/** No process: whenever one is started, it has the timing that is written in its config. */
export const WITHOUT_PROCESS: ReadonlySet<ProcessState> = new Set([
  'absent',
  'prepared',
  'stopped',
  'backoff',
  'crash-loop',
  'held',
]);

/**
 * Waits for the nodes that cannot be asked now and may have lowered timing: after a restart of the
 * controller that is all of them, until their hosts have reported. Only a creation lowers any.
 */
export function awaitTimingOfOthers(situation: Situation): Turn {
  const unknown = situation.layout.nodes.filter(({ key }) => {
    const state = seenNode(situation, key)?.process.state;
    return !situation.liveByKey.has(key) && (state === undefined || !WITHOUT_PROCESS.has(state));
  });
  const reason = 'does not answer; its node timeout may still be lowered';
  return mergeTurns(unknown.map(({ key }) => waiting(key, reason)));
}

function planNodeTiming(situation: Situation, live: LiveNode, target: Timing): Turn {
  const { node, redis } = live;
  const same =
    redis.nodeTimeoutMs === target.nodeTimeoutMs &&
    redis.replicaNoFailover === target.replicaNoFailover;
  if (same) return IDLE;
  return tryStep(situation.attempts, setTimingStep(live, target), {
    now: situation.now,
    what: `setting the node timeout of ${node.key} to ${target.nodeTimeoutMs} ms`,
    subject: node.key,
    remedy: `Apply again once ${node.key} answers; a restart of it also puts its timing back`,
  });
}

function setTimingStep({ node }: LiveNode, target: Timing): SetTimingStep {
  return { kind: 'setTiming', host: node.host, node: node.key, ...target };
}

/** When the journal first lowered a node's timing. */
function beganLowering(situation: Situation): number | undefined {
  const lowered = formingTiming(situation.layout);
  const starts = situation.live.flatMap((live) => {
    const first = situation.attempts.get(stepKey(setTimingStep(live, lowered)))?.[0];
    return first === undefined ? [] : [first.startedAtMs];
  });
  return starts.length === 0 ? undefined : Math.min(...starts);
}

function seemsUsable(situation: Situation, live: LiveNode): boolean {
  if (live.redis.clusterState !== 'ok') return false;
  const slots = [...viewOf(situation, live).values()].flatMap((entry) => entry.slots);
  return countSlots(normalizeRanges(slots)) === SLOT_COUNT;
}
