/** Clusters: their spec, current layout and password, and every layout that was ever accepted. */
import { RedroverError, type ClusterSpec, type Layout, type Operation } from '@redrover/core';
import type { Release } from '@redrover/core';

import { insertOperation } from './operation-records.ts';
import type { StoreDatabase } from './schema.ts';

export interface ClusterRecord {
  readonly name: string;
  readonly clusterId: string;
  readonly spec: ClusterSpec;
  /** The current one. */
  readonly layout: Layout;
  /** As it was when the layout was accepted. */
  readonly release: Release;
  readonly createdAtMs: number;
}

export interface NewCluster {
  readonly spec: ClusterSpec;
  readonly layout: Layout;
  readonly release: Release;
  readonly password: string;
  readonly operation: Operation;
}

export class ClusterRecords {
  readonly #database: StoreDatabase;

  constructor(database: StoreDatabase) {
    this.#database = database;
  }

  async list(): Promise<ClusterRecord[]> {
    const rows = await this.#select().orderBy('cluster.name').execute();
    return rows.map(toClusterRecord);
  }

  async find(name: string): Promise<ClusterRecord | undefined> {
    const row = await this.#select().where('cluster.name', '=', name).executeTakeFirst();
    return row === undefined ? undefined : toClusterRecord(row);
  }

  /** Only for those who need it: a password is not part of a cluster's record. */
  async readPassword(name: string): Promise<string | undefined> {
    const query = this.#database.selectFrom('cluster').select('password');
    return (await query.where('name', '=', name).executeTakeFirst())?.password;
  }

  /** Layout, cluster and operation in one transaction, and the plans for it are used up. */
  async create(created: NewCluster): Promise<void> {
    const { spec, layout, release, password, operation } = created;
    await this.#database.transaction().execute(async (transaction) => {
      await transaction
        .insertInto('layout')
        .values({
          cluster_id: layout.clusterId,
          number: layout.number,
          cluster: layout.cluster,
          layout_json: JSON.stringify(layout),
          release_json: JSON.stringify(release),
          accepted_at_ms: operation.createdAtMs,
        })
        .execute();
      await transaction
        .insertInto('cluster')
        .values({
          name: spec.name,
          cluster_id: layout.clusterId,
          spec_json: JSON.stringify(spec),
          layout_number: layout.number,
          password,
          created_at_ms: operation.createdAtMs,
        })
        .execute();
      // A cluster of the same name that is made after this one is gone must get an id of its own.
      await transaction.deleteFrom('plan').where('cluster', '=', spec.name).execute();
      await insertOperation(transaction, operation, layout.clusterId);
    });
  }

  async readLayout(clusterId: string, number: number): Promise<StoredLayout> {
    const row = await this.#database
      .selectFrom('layout')
      .select(['layout_json', 'release_json'])
      .where('cluster_id', '=', clusterId)
      .where('number', '=', number)
      .executeTakeFirst();
    if (row === undefined) {
      throw new RedroverError('internal', `layout ${number} of cluster ${clusterId} is not stored`);
    }
    return { layout: JSON.parse(row.layout_json), release: JSON.parse(row.release_json) };
  }

  #select() {
    return this.#database
      .selectFrom('cluster')
      .innerJoin('layout', (join) =>
        join
          .onRef('layout.cluster_id', '=', 'cluster.cluster_id')
          .onRef('layout.number', '=', 'cluster.layout_number'),
      )
      .select([
        'cluster.name',
        'cluster.cluster_id',
        'cluster.spec_json',
        'cluster.created_at_ms',
        'layout.layout_json',
        'layout.release_json',
      ]);
  }
}

export interface StoredLayout {
  readonly layout: Layout;
  readonly release: Release;
}

interface ClusterRow {
  readonly name: string;
  readonly cluster_id: string;
  readonly spec_json: string;
  readonly created_at_ms: number;
  readonly layout_json: string;
  readonly release_json: string;
}

function toClusterRecord(row: ClusterRow): ClusterRecord {
  return {
    name: row.name,
    clusterId: row.cluster_id,
    spec: JSON.parse(row.spec_json),
    layout: JSON.parse(row.layout_json),
    release: JSON.parse(row.release_json),
    createdAtMs: row.created_at_ms,
  };
}
