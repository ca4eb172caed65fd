/**
 * Whether a repair that nobody asked for may begin now. It waits for quiet, acts rarely, and
 * freezes when in doubt; each answer says why (docs/adr/0012).
 *
 * What a repair would do is planned elsewhere; remembering since when it is quiet is the caller's.
 */
import { isCutOff } from '../../model/cut-off.ts';
import type { HostStatus } from '../../model/host.ts';
import type { Layout } from '../../model/layout.ts';
import type { Observation, ProcessState } from '../../model/observation.ts';
import type { Operation } from '../../model/operation.ts';
import type { ClusterSpec } from '../../model/spec.ts';
import { countFruitless, MAX_FRUITLESS, quietPeriodOf, type QuietPeriod } from './anti-flap.ts';

export interface AutoRepairInput {
  readonly spec: Pick<ClusterSpec, 'repair' | 'repairQuietMs'>;
  readonly layout: Layout;
  readonly observation: Observation;
  /** Every host that the controller knows, of whatever cluster. */
  readonly allHosts: readonly { readonly status: HostStatus }[];
  /** Since when `topologyMark` is the same; not before the controller began to look. */
  readonly quietSinceMs: number;
  /** Operations of kind `repair` on the cluster, the newest first. */
  readonly pastRepairs: readonly Operation[];
  /** The newest operation on the cluster, of whatever kind. */
  readonly lastOperation: Operation | undefined;
  /** Whether a repair would have anything to do. */
  readonly hasWork: boolean;
  /** Whether an operation on the cluster is under way, paused ones included. */
  readonly underWay: boolean;
  /** Milliseconds since the epoch, on the clock of `quietSinceMs` and the operations. */
  readonly now: number;
}

export interface AutoRepairDecision {
  /**
   * - `idle`: nothing is to be done, or not by itself. `waiting`: it may begin later, by itself.
   * - `frozen`: something must change, or a person act, before one may begin. `repair`: begin now.
   */
  readonly kind: 'idle' | 'waiting' | 'frozen' | 'repair';
  /** One sentence for people. */
  readonly reason: string;
  /** When it begins, if nothing changes until then; only while waiting for quiet. */
  readonly dueAtMs: number | undefined;
}

/** More than one host in trouble is an outage, not an accident: moving roles may make it worse. */
const MAX_TROUBLED_HOSTS = 1;

/** Processes that do not come back by themselves. */
const STUCK: ReadonlySet<ProcessState> = new Set(['absent', 'unresponsive', 'crash-loop', 'held']);

export function decideAutoRepair(input: AutoRepairInput): AutoRepairDecision {
  const { spec, allHosts, hasWork, underWay, lastOperation } = input;
  if (spec.repair !== 'auto') return decided('idle', 'The spec says repair: manual.');
  if (isCutOff(allHosts)) {
    const silent = allHosts.filter(({ status }) => status !== 'online').length;
    return decided(
      'frozen',
      `${silent} of ${allHosts.length} hosts are silent: the controller may be the one cut off.`,
    );
  }
  if (underWay) return decided('waiting', 'An operation on the cluster is under way.');
  if (!hasWork) return decided('idle', 'There is nothing to repair.');
  if (lastOperation !== undefined && isLeftToPeople(lastOperation)) {
    const { id, kind, reason, state } = lastOperation;
    return decided(
      'frozen',
      `Operation ${id} (${reason || kind}) ${state === 'cancelled' ? 'was' : 'has'} ${state}, and a ` +
        'repair would finish or undo it: a person is to say what becomes of it.',
    );
  }
  const troubled = findTroubledHosts(input);
  if (troubled.length > MAX_TROUBLED_HOSTS) {
    return decided(
      'frozen',
      `More than one host is in trouble (${troubled.join('; ')}): a person is to look first.`,
    );
  }
  return decideByRecord(input);
}

/**
 * A repair finishes what a change has left half done, and starts what a removal has stopped: not
 * against the will of whoever cancelled the one or began the other.
 */
function isLeftToPeople({ kind, state }: Operation): boolean {
  return kind === 'remove' || (kind === 'change' && state === 'cancelled');
}

function decideByRecord(input: AutoRepairInput): AutoRepairDecision {
  const { spec, now } = input;
  const record = { ...input, repairQuietMs: spec.repairQuietMs };
  const fruitless = countFruitless(record);
  if (fruitless >= MAX_FRUITLESS) {
    return decided(
      'frozen',
      `The last ${fruitless} automatic repairs failed or left something to repair; the next ` +
        'begins only after a person has repaired, or something else has changed.',
    );
  }
  const period = quietPeriodOf(record);
  if (now < period.dueAtMs)
    return { ...decided('waiting', describe(period)), dueAtMs: period.dueAtMs };
  return decided('repair', `Nothing has changed for ${inSeconds(period.quietMs)}.`);
}

function describe({ quietMs, recent }: QuietPeriod): string {
  const why =
    recent === 0
      ? ''
      : `, longer than usual after ${recent} automatic repair${recent === 1 ? '' : 's'} in an hour`;
  return `A repair begins when nothing has changed for ${inSeconds(quietMs)}${why}.`;
}

/** Each with its trouble; hosts under maintenance are away on purpose. */
function findTroubledHosts({ layout, observation }: AutoRepairInput): string[] {
  const names = [...new Set(layout.nodes.map((node) => node.host))];
  return names.flatMap((name) => {
    if (layout.drainedHosts.includes(name)) return [];
    const status = observation.hosts[name]?.status ?? 'not known';
    if (status !== 'online') return [`${name} is ${status}`];
    const stuck = layout.nodes.find(({ key, host }) => {
      const process = observation.nodes[key]?.process;
      return (
        host === name && process !== undefined && (STUCK.has(process.state) || process.identityLost)
      );
    });
    if (stuck === undefined) return [];
    return [`${name}: node ${stuck.key} is ${observation.nodes[stuck.key]?.process.state}`];
  });
}

function decided(kind: AutoRepairDecision['kind'], reason: string): AutoRepairDecision {
  return { kind, reason, dueAtMs: undefined };
}

function inSeconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`;
}
