/**
 * Reads the text of `INFO` and `CLUSTER INFO` into the fields of an observation, whatever the
 * release calls them (Redis command pages INFO and CLUSTER INFO).
 *
 * What else an observation holds (view, timing in force, limits of the process) is read elsewhere.
 */
import type { RedisObservation } from '../model/observation.ts';
import type { Product } from '../model/release.ts';

/** `name:value` lines of an INFO text. */
export type InfoFields = ReadonlyMap<string, string>;

/** The part of a node's observation that `INFO` tells. */
export type InfoReading = Pick<
  RedisObservation,
  | 'version'
  | 'role'
  | 'replicationOffset'
  | 'masterLinkUp'
  | 'masterLastIoSeconds'
  | 'syncInProgress'
  | 'loading'
  | 'connectedReplicas'
  | 'connectedClients'
  | 'usedMemoryBytes'
  | 'maxmemoryBytes'
  | 'keys'
  | 'uptimeSeconds'
  | 'aofEnabled'
  | 'persistenceOk'
> & {
  readonly product: Product;
  /** The AOF is being written anew, or will be as soon as another child process has ended. */
  readonly aofRewriting: boolean;
};

/** The part of a node's observation that `CLUSTER INFO` tells. */
export type ClusterInfoReading = Pick<
  RedisObservation,
  'clusterState' | 'slotsAssigned' | 'knownNodes' | 'currentEpoch' | 'configEpoch'
>;

/** Splits an INFO text; section titles and blank lines are skipped, a value may hold colons. */
export function readInfoFields(text: string): InfoFields {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon <= 0 || line.startsWith('#')) continue;
    fields.set(line.slice(0, colon), line.slice(colon + 1).trimEnd());
  }
  return fields;
}

/**
 * Reads `INFO` (the default sections, or `server clients memory persistence replication keyspace`).
 *
 * A field that is missing reads as 0, empty or false: a node that is still loading leaves some out.
 */
export function readInfo(text: string): InfoReading {
  const fields = new InfoText(text);
  // Redis prints `slave`; `replica` is taken as well, so that a renaming does no harm.
  const isReplica = ['slave', 'replica'].includes(fields.get('role') ?? '');
  const ownOffset = ['slave_repl_offset', 'replica_repl_offset'];
  return {
    product: productOf(fields),
    // Valkey also reports a `redis_version` for old clients' sake, which is not its own.
    version: firstOf(fields, ['valkey_version', 'redis_version']),
    role: isReplica ? 'replica' : 'master',
    replicationOffset: numberOf(fields, isReplica ? ownOffset : ['master_repl_offset']),
    masterLinkUp: isReplica ? fields.get('master_link_status') === 'up' : undefined,
    masterLastIoSeconds: isReplica
      ? numberOf(fields, ['master_last_io_seconds_ago'], -1)
      : undefined,
    syncInProgress: fields.get('master_sync_in_progress') === '1',
    loading: fields.get('loading') === '1' || fields.get('async_loading') === '1',
    connectedReplicas: numberOf(fields, ['connected_slaves', 'connected_replicas']),
    connectedClients: numberOf(fields, ['connected_clients']),
    usedMemoryBytes: numberOf(fields, ['used_memory']),
    maxmemoryBytes: numberOf(fields, ['maxmemory']),
    keys: countKeys(text),
    uptimeSeconds: numberOf(fields, ['uptime_in_seconds']),
    aofEnabled: fields.get('aof_enabled') === '1',
    persistenceOk: persistenceOk(fields),
    aofRewriting: ['aof_rewrite_in_progress', 'aof_rewrite_scheduled'].some(
      (name) => fields.get(name) === '1',
    ),
  };
}

/** Reads `CLUSTER INFO`; a missing field reads as 0, a missing state as `fail`. */
export function readClusterInfo(text: string): ClusterInfoReading {
  const fields = new InfoText(text);
  return {
    clusterState: fields.get('cluster_state') === 'ok' ? 'ok' : 'fail',
    slotsAssigned: numberOf(fields, ['cluster_slots_assigned']),
    knownNodes: numberOf(fields, ['cluster_known_nodes']),
    currentEpoch: numberOf(fields, ['cluster_current_epoch']),
    configEpoch: numberOf(fields, ['cluster_my_epoch']),
  };
}

/** Valkey says `server_name:valkey`; before that field existed, only Redis did not say its name. */
function productOf(fields: InfoText): Product {
  return fields.get('server_name') === 'valkey' || fields.has('valkey_version')
    ? 'valkey'
    : 'redis';
}

/** A status that is not reported (nothing was ever written or saved) is not a failure. */
function persistenceOk(fields: InfoText): boolean {
  return ['aof_last_write_status', 'rdb_last_bgsave_status'].every(
    (name) => (fields.get(name) ?? 'ok') === 'ok',
  );
}

/** Sums `dbN:keys=…`; a cluster has db 0 only before Valkey 9. */
function countKeys(text: string): number {
  let keys = 0;
  const keyspace = text.slice(Math.max(0, text.indexOf('# Keyspace')));
  for (const [, count] of keyspace.matchAll(/^db\d+:(?:\S*,)?keys=(\d+)/gm)) keys += Number(count);
  return keys;
}

/**
 * Looks for a few fields in an INFO text. That is done for each node each second: a map of all its 200 fields would be
 * most of what an agent leaves to its garbage collector.
 */
class InfoText {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  get(name: string): string | undefined {
    const text = this.#text;
    const line = text.startsWith(`${name}:`) ? 0 : text.indexOf(`\n${name}:`) + 1;
    if (line === 0 && !text.startsWith(`${name}:`)) return undefined;
    const end = text.indexOf('\n', line);
    return text.slice(line + name.length + 1, end === -1 ? text.length : end).trimEnd();
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }
}

function firstOf(fields: InfoText, names: readonly string[]): string {
  for (const name of names) {
    const value = fields.get(name);
    if (value !== undefined) return value;
  }
  return '';
}

/**
 * Never less than what stands for a missing one: once its host's clock has been set back, a server
 * says that it has been up for a negative time, and nobody could be told of the rest.
 */
function numberOf(fields: InfoText, names: readonly string[], missing = 0): number {
  const value = Number.parseInt(firstOf(fields, names), 10);
  return Number.isFinite(value) ? Math.max(missing, value) : missing;
}
