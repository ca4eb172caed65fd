/**
 * Plans that were shown: the layout behind each fingerprint, until it is applied or too old.
 *
 * Whether the world is still as it was then is for `apply` to find out.
 */
import type { Layout } from '@redrover/core';

import type { ClusterRecord } from './cluster-records.ts';
import type { StoreDatabase } from './schema.ts';

/** A plan that was approved a day ago is not what anybody means today. */
const PLAN_LIFETIME_MS = 24 * 3600 * 1000;

export interface PlanRecord {
  readonly fingerprint: string;
  readonly layout: Layout;
  readonly plannedAtMs: number;
}

export class PlanRecords {
  readonly #database: StoreDatabase;

  constructor(database: StoreDatabase) {
    this.#database = database;
  }

  /** Remembers a plan, and forgets those that are too old. */
  async save(plan: PlanRecord): Promise<void> {
    const oldestMs = plan.plannedAtMs - PLAN_LIFETIME_MS;
    await this.#database.transaction().execute(async (transaction) => {
      await transaction.deleteFrom('plan').where('planned_at_ms', '<', oldestMs).execute();
      await transaction
        .insertInto('plan')
        .values({
          fingerprint: plan.fingerprint,
          cluster: plan.layout.cluster,
          cluster_id: plan.layout.clusterId,
          layout_json: JSON.stringify(plan.layout),
          planned_at_ms: plan.plannedAtMs,
        })
        .onConflict((conflict) =>
          conflict.column('fingerprint').doUpdateSet({ planned_at_ms: plan.plannedAtMs }),
        )
        .execute();
    });
  }

  /** Of a cluster that is not made yet; a plan that is too old is as good as none. */
  async findLayout(fingerprint: string, nowMs: number): Promise<Layout | undefined> {
    const row = await this.#ofNewClusters()
      .select('layout_json')
      .where('fingerprint', '=', fingerprint)
      .where('planned_at_ms', '>=', nowMs - PLAN_LIFETIME_MS)
      .executeTakeFirst();
    return row === undefined ? undefined : JSON.parse(row.layout_json);
  }

  /** The layout that follows the one in force, if it was planned for it and not too long ago. */
  async findNext(
    fingerprint: string,
    { clusterId, layout }: Pick<ClusterRecord, 'clusterId' | 'layout'>,
    nowMs: number,
  ): Promise<Layout | undefined> {
    const row = await this.#database
      .selectFrom('plan')
      .select('layout_json')
      .where('fingerprint', '=', fingerprint)
      .where('cluster_id', '=', clusterId)
      .where('planned_at_ms', '>=', nowMs - PLAN_LIFETIME_MS)
      .executeTakeFirst();
    if (row === undefined) return undefined;
    const planned: Layout = JSON.parse(row.layout_json);
    return planned.number === layout.number + 1 ? planned : undefined;
  }

  /** The id that the newest plan for a cluster of this name was given. */
  async newestClusterId(cluster: string): Promise<string | undefined> {
    const row = await this.#ofNewClusters()
      .select('cluster_id')
      .where('cluster', '=', cluster)
      .orderBy('planned_at_ms', 'desc')
      .executeTakeFirst();
    return row?.cluster_id;
  }

  /**
   * An id whose cluster was ever made is used up, also when that cluster is gone: its directories
   * in the trash carry it, and its layouts are kept as history.
   */
  #ofNewClusters() {
    return this.#database
      .selectFrom('plan')
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('layout')
              .select('layout.number')
              .whereRef('layout.cluster_id', '=', 'plan.cluster_id'),
          ),
        ),
      );
  }
}
