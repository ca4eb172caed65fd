/**
 * The tables as Kysely sees them. How they come to be is `migrations.ts`'s business; what may be
 * asked of them, that of the files named after them.
 *
 * Columns that end in `_json` hold values of `@redrover/core`'s model as they are.
 */
import type { Generated, Kysely } from 'kysely';

export interface MetaTable {
  key: string;
  value: string;
}

export interface HostTable {
  name: string;
  address: string;
  labels_json: string;
  facts_json: string | null;
  builds_json: string;
  last_seen_ms: number;
}

export interface ReleaseTable {
  name: string;
  release_json: string;
  added_at_ms: number;
}

export interface BuildTable {
  id: string;
  release: string;
  platform: string;
  build_json: string;
  blob_sha256: string;
  added_at_ms: number;
}

export interface ClusterTable {
  name: string;
  cluster_id: string;
  spec_json: string;
  layout_number: number;
  password: string;
  created_at_ms: number;
}

/** Kept as history when the cluster is gone. */
export interface LayoutTable {
  cluster_id: string;
  number: number;
  cluster: string;
  layout_json: string;
  /** The release as it was when the layout was accepted: a later catalogue must not change it. */
  release_json: string;
  accepted_at_ms: number;
}

export interface PlanTable {
  fingerprint: string;
  cluster: string;
  cluster_id: string;
  layout_json: string;
  planned_at_ms: number;
}

export interface OperationTable {
  id: string;
  cluster: string;
  cluster_id: string;
  kind: string;
  layout_number: number;
  state: string;
  created_at_ms: number;
  ended_at_ms: number | null;
  message: string;
  purge: number;
  reason: string;
  automatic: number;
  move_json: string;
  /** Somebody asked to cancel it, and lowered timing is being put back. */
  cancelling: number;
}

export interface AttemptTable {
  sequence: Generated<number>;
  operation_id: string;
  /** Position within the operation's journal. */
  position: number;
  step_key: string;
  started_at_ms: number;
  ended_at_ms: number | null;
  outcome: string;
  error_code: string | null;
  message: string;
  move_json: string | null;
}

export interface StoreTables {
  meta: MetaTable;
  host: HostTable;
  release: ReleaseTable;
  build: BuildTable;
  cluster: ClusterTable;
  layout: LayoutTable;
  plan: PlanTable;
  operation: OperationTable;
  attempt: AttemptTable;
}

export type StoreDatabase = Kysely<StoreTables>;
