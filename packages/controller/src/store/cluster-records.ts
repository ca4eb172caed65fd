/** Clusters: their spec, current layout and password, and every layout that was ever accepted. */
import {
  RedroverError,
  type ClusterSpec,
  type Layout,
  type LayoutNode,
  type NodeKey,
  type Operation,
  type Release,
} from '@redrover/core';
import { sql, type Transaction } from 'kysely';

import { insertOperation } from './operation-records.ts';
import type { StoreDatabase, StoreTables } from './schema.ts';

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

/** What becomes of a cluster that exists. */
export interface ClusterAdvance {
  /** As it is from now on. */
  readonly spec: ClusterSpec;
  /** The one that comes into force; the one in force where only the rest changes. */
  readonly layout: Layout;
  readonly release: Release;
  /** What makes the layout real; undefined where nothing needs to be done. */
  readonly operation: Operation | undefined;
  /** Number of the layout that was in force when this was decided. */
  readonly fromLayoutNumber: number;
}

/** What a cluster was up to one of its layouts. */
interface Past {
  readonly number: number;
  /** Those that this layout does not have any more. */
  readonly nodes: readonly LayoutNode[];
  readonly shardIds: readonly string[];
}

export class ClusterRecords {
  readonly #database: StoreDatabase;
  /** Layouts never change: what was there before one of them is worked out once. */
  readonly #past = new Map<string, Past>();

  constructor(database: StoreDatabase) {
    this.#database = database;
  }

  async list(): Promise<ClusterRecord[]> {
    const rows = await this.#select().orderBy('cluster.name').execute();
    return rows.map(toClusterRecord);
  }

  /** Those whose spec says `repair: auto`. */
  async listSelfRepairing(): Promise<ClusterRecord[]> {
    const isAuto = sql<boolean>`json_extract(cluster.spec_json, '$.repair') = 'auto'`;
    const rows = await this.#select().where(isAuto).orderBy('cluster.name').execute();
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
      await insertLayout(transaction, { layout, release, acceptedAtMs: operation.createdAtMs });
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

  /**
   * Layouts, specs and operations of several clusters in one transaction: all of it or nothing.
   *
   * @throws RedroverError `stale-plan` if a cluster is gone or has another layout than it had.
   */
  async advance(advances: readonly ClusterAdvance[], nowMs: number): Promise<void> {
    await this.#database.transaction().execute(async (transaction) => {
      for (const advance of advances) await advanceOne(transaction, advance, nowMs);
    });
  }

  /**
   * The nodes of earlier layouts that layout `number` does not have, each as the newest of these
   * had it. By key alone: a node whose host got another address is the same node.
   */
  async listFormerNodes(clusterId: string, number: number): Promise<readonly LayoutNode[]> {
    return (await this.#readPast(clusterId, number)).nodes;
  }

  /** Of every shard that the cluster had up to layout `number`: none of them is used again. */
  async listShardIds(clusterId: string, number: number): Promise<readonly string[]> {
    return (await this.#readPast(clusterId, number)).shardIds;
  }

  /**
   * The number that the first layout of a new cluster of this name is to have: above those of all
   * clusters that had it, as hosts that were away when such a one was removed refuse lower ones.
   */
  async nextLayoutNumber(cluster: string): Promise<number> {
    const row = await this.#database
      .selectFrom('layout')
      .select(({ fn }) => fn.max('number').as('highest'))
      .where('cluster', '=', cluster)
      .executeTakeFirst();
    return 1 + (row?.highest ?? 0);
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

  async #readPast(clusterId: string, number: number): Promise<Past> {
    const known = this.#past.get(clusterId);
    if (known?.number === number) return known;
    const rows = await this.#database
      .selectFrom('layout')
      .select('layout_json')
      .where('cluster_id', '=', clusterId)
      .where('number', '<=', number)
      .orderBy('number')
      .execute();
    const layouts = rows.map((row): Layout => JSON.parse(row.layout_json));
    const shardIds = layouts.flatMap(({ shards }) => shards.map(({ id }) => id));
    const past = { number, nodes: formerNodesOf(layouts), shardIds: [...new Set(shardIds)] };
    this.#past.set(clusterId, past);
    return past;
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

/** Of layouts in their order: what the last one does not have any more. */
export function formerNodesOf(layouts: readonly Pick<Layout, 'nodes'>[]): LayoutNode[] {
  const current = new Set(layouts.at(-1)?.nodes.map((node) => node.key));
  const former = new Map<NodeKey, LayoutNode>();
  for (const node of layouts.flatMap((layout) => layout.nodes)) {
    if (!current.has(node.key)) former.set(node.key, node);
  }
  return [...former.values()];
}

async function advanceOne(
  transaction: Transaction<StoreTables>,
  { spec, layout, release, operation, fromLayoutNumber }: ClusterAdvance,
  acceptedAtMs: number,
): Promise<void> {
  const { cluster, clusterId, number } = layout;
  if (number !== fromLayoutNumber) {
    await insertLayout(transaction, { layout, release, acceptedAtMs });
  }
  const result = await transaction
    .updateTable('cluster')
    .set({ spec_json: JSON.stringify(spec), layout_number: number })
    .where('cluster_id', '=', clusterId)
    .where('layout_number', '=', fromLayoutNumber)
    .executeTakeFirst();
  if (result.numUpdatedRows !== 1n) {
    throw new RedroverError(
      'stale-plan',
      `cluster ${cluster} has changed since the plan was made; plan again`,
    );
  }
  if (operation !== undefined) await insertOperation(transaction, operation, clusterId);
}

async function insertLayout(
  transaction: Transaction<StoreTables>,
  accepted: StoredLayout & { readonly acceptedAtMs: number },
): Promise<void> {
  const { layout, release, acceptedAtMs } = accepted;
  await transaction
    .insertInto('layout')
    .values({
      cluster_id: layout.clusterId,
      number: layout.number,
      cluster: layout.cluster,
      layout_json: JSON.stringify(layout),
      release_json: JSON.stringify(release),
      accepted_at_ms: acceptedAtMs,
    })
    .execute();
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
