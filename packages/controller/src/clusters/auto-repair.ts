/**
 * Begins repairs without being asked, where a spec says `repair: auto`. When one may begin is
 * core's answer (`decideAutoRepair`); how it is done, that of every repair.
 */
import {
  countSlots,
  DEFAULT_MOVE_OPTIONS,
  decideAutoRepair,
  RedroverError,
  topologyMark,
  type AutoRepairDecision,
  type Finding,
  type LayoutNode,
  type MoveSlotsStep,
  type Observation,
} from '@redrover/core';
import type { Logger } from 'pino';

import { takeSnapshot } from '../agents/snapshot.ts';
import type { ClusterRecord } from '../store/cluster-records.ts';
import { findingOf } from './auto-repair-finding.ts';
import { formerNodes, type PlannerContext } from './cluster-plan.ts';
import type { Clusters } from './clusters.ts';
import { movesOf } from './move-preview.ts';
import type { RepairBoard } from './repair-board.ts';
import { mayNeedRepair } from './repair-signs.ts';

export interface AutoRepairOptions {
  readonly context: PlannerContext;
  readonly clusters: Clusters;
  readonly board: RepairBoard;
  readonly log: Logger;
}

const INTERVAL_MS = 1_000;

/** What could not be repaired is looked at again after this long, also if nothing has changed. */
const LOOK_AGAIN_MS = 60_000;

/** More than one hour of them, at the pace at which they may follow each other. */
const PAST_REPAIRS = 30;

/** Of one cluster; losing it, as at a restart, only begins the quiet time anew. */
interface Watch {
  readonly mark: string;
  readonly quietSinceMs: number;
  /** Until then, and while nothing changes, there is nothing that a repair could do. */
  idleUntilMs: number;
  /** Why a repair that was due could not begin. */
  obstacle: string;
}

interface Sight {
  readonly record: ClusterRecord;
  readonly former: readonly LayoutNode[];
  readonly observation: Observation;
  readonly nowMs: number;
}

export class AutoRepair {
  readonly #options: AutoRepairOptions;
  readonly #watches = new Map<string, Watch>();
  /** What was said of each cluster last. */
  readonly #told = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;

  constructor(options: AutoRepairOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#round ??= this.#lookAround().finally(() => (this.#round = undefined));
    }, INTERVAL_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#round;
  }

  async #lookAround(): Promise<void> {
    const { context, board, log } = this.#options;
    try {
      const records = await context.store.clusters.listSelfRepairing();
      const names = new Set(records.map(({ name }) => name));
      board.keepOnly(names);
      for (const name of this.#watches.keys()) if (!names.has(name)) this.#watches.delete(name);
      for (const record of records) await this.#look(record);
    } catch (error) {
      // The next round is a second away.
      log.error({ err: error }, 'cannot see whether clusters need a repair; trying again');
    }
  }

  async #look(record: ClusterRecord): Promise<void> {
    const { context, board } = this.#options;
    const former = await formerNodes(context, record);
    const observation = takeSnapshot(context, [...record.layout.nodes, ...former]);
    const sight = { record, former, observation, nowMs: Date.now() };
    const watch = this.#watch(sight);
    const decision = await this.#decide(sight, watch);
    if (decision.kind === 'repair') await this.#begin(record.name, watch);
    const finding = findingOf(record.name, decision, watch.obstacle);
    board.put(record.name, finding);
    this.#tell(record.name, decision, finding);
  }

  #watch({ record, observation, nowMs }: Sight): Watch {
    const mark = topologyMark(record.layout, observation);
    const known = this.#watches.get(record.name);
    if (known?.mark === mark) return known;
    const watch = { mark, quietSinceMs: nowMs, idleUntilMs: 0, obstacle: '' };
    this.#watches.set(record.name, watch);
    return watch;
  }

  async #decide(sight: Sight, watch: Watch): Promise<AutoRepairDecision> {
    const { store, operations, hosts } = this.#options.context;
    const { record, former, observation, nowMs } = sight;
    const { spec, layout, clusterId, name } = record;
    const signs = { layout, former, observation };
    const hasWork = nowMs >= watch.idleUntilMs && mayNeedRepair(signs);
    const pastRepairs = hasWork ? await store.operations.listRepairs(clusterId, PAST_REPAIRS) : [];
    const lastOperation = hasWork ? await store.operations.findNewest(clusterId) : undefined;
    return decideAutoRepair({
      spec,
      layout,
      observation,
      allHosts: hosts.listStatuses(),
      quietSinceMs: watch.quietSinceMs,
      pastRepairs,
      lastOperation,
      hasWork,
      underWay: operations.findUnderWay(name) !== undefined,
      now: nowMs,
    });
  }

  /** As a person would: makes a plan, and begins it if it still holds. */
  async #begin(name: string, watch: Watch): Promise<void> {
    const { clusters } = this.#options;
    watch.idleUntilMs = Date.now() + LOOK_AGAIN_MS;
    try {
      const plan = await clusters.planUnseenRepair(name);
      const { rounds, blockers } = plan.forecast;
      // What only has to be waited for needs no operation.
      if (rounds.length === 0 && blockers.length === 0) return;
      watch.obstacle = explainMoves(movesOf(plan), this.#options.context);
      if (watch.obstacle !== '') return;
      const { fingerprint } = plan;
      await clusters.repair(name, { fingerprint, move: DEFAULT_MOVE_OPTIONS, automatic: true });
      watch.obstacle = '';
    } catch (error) {
      const { code, message } = RedroverError.from(error);
      // Something has moved just now, and begins the quiet time anew.
      if (code !== 'stale-plan') watch.obstacle = message;
    }
  }

  /** Each reason once, however long it lasts. */
  #tell(cluster: string, { reason }: AutoRepairDecision, finding: Finding | undefined): void {
    const told = finding === undefined ? '' : `${finding.rule} ${reason}`;
    if (told === (this.#told.get(cluster) ?? '')) return;
    this.#told.set(cluster, told);
    const { log } = this.#options;
    if (finding !== undefined) log.info({ cluster, rule: finding.rule }, finding.message);
  }
}

/**
 * Where slots are to be is no drift that somebody opted to have repaired: a person who has moved
 * them by hand may have meant it. What is half way between two nodes is brought to its end.
 */
function explainMoves(steps: readonly MoveSlotsStep[], { observations }: PlannerContext): string {
  const open = new Set(
    steps.flatMap(({ source, target }) =>
      [source, target].flatMap(({ node, nodeId }) => {
        const view = observations.find(node)?.redis?.view;
        const self = view?.nodes.find((entry) => entry.nodeId === nodeId);
        return [...(self?.migrating ?? []), ...(self?.importing ?? [])].map(({ slot }) => slot);
      }),
    ),
  );
  const whole = steps.filter(({ slots }) =>
    slots.some(({ start, end }) => {
      for (let slot = start; slot <= end; slot += 1) if (!open.has(slot)) return true;
      return false;
    }),
  );
  const [first] = whole;
  if (first === undefined) return '';
  return (
    `${countSlots(first.slots)} slots of ${first.source.node} are to be at ${first.target.node} by ` +
    'the layout in force, and moving them is for a person to approve: a repair moves them, ' +
    '`redrover cluster move-slots` to where they are leaves them there.'
  );
}
