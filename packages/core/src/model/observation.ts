/**
 * What agents have seen, with the time it was seen. Nothing here is a wish: wishes are in `layout.ts`.
 *
 * All times are milliseconds since the epoch on the clock of whoever took the reading.
 */
import type { HostFacts, HostStatus } from './host.ts';
import type { NodeKey } from './layout.ts';
import type { MoveEngine, MoverObservation } from './migration.ts';
import type { SlotRange } from './slots.ts';
import type { NodeRole } from './spec.ts';

/**
 * The life of a node's process as its agent supervises it.
 *
 * - `absent`: no directory. `prepared`: directory and config, never started. `stopped`: stopped on purpose.
 * - `starting`: spawned, does not answer yet. `running`: the process is there and answers.
 * - `unresponsive`: the process is there and does not answer.
 * - `backoff`: crashed, will be started again. `crash-loop`: crashed too often in a row; still retried, rarely.
 * - `held`: crashed or booting, and the stale-master guard does not let it start; `reason` says why.
 */
export type ProcessState =
  | 'absent'
  | 'prepared'
  | 'stopped'
  | 'starting'
  | 'running'
  | 'unresponsive'
  | 'backoff'
  | 'crash-loop'
  | 'held';

/** Written into a node's directory before its first start; tells whose data this is. */
export interface NodeMarker {
  readonly cluster: string;
  readonly clusterId: string;
  readonly layoutNumber: number;
}

export interface ProcessObservation {
  readonly state: ProcessState;
  readonly pid: number | undefined;
  readonly startedAtMs: number | undefined;
  /** Restarts after crashes since the node was last started on purpose. */
  readonly restarts: number;
  /** Why it is held, or how it ended last: `killed by SIGKILL`, `exit code 1: <last log line>`; empty if neither. */
  readonly reason: string;
  /** Whose directory it is; undefined for an absent node. */
  readonly marker: NodeMarker | undefined;
  /** Whether the directory holds data or cluster state (an AOF, an RDB file or a nodes.conf). */
  readonly hasData: boolean;
  /**
   * The node was known in a cluster, and its directory holds no nodes.conf (or an empty or broken one) any more:
   * started, it would be a stranger under a new node id. The agent holds such a node; it has to be made anew.
   */
  readonly identityLost: boolean;
  /** Fingerprint of the node plan that the config in force was rendered from; empty if none. */
  readonly planHash: string;
  /** The build that the node runs or would be started with; empty if none. */
  readonly buildId: string;
}

/** One line of `CLUSTER NODES` (Redis command page CLUSTER NODES, "Serialization format"). */
export interface ViewNode {
  readonly nodeId: string;
  readonly address: string;
  readonly port: number;
  readonly busPort: number;
  /** As printed, `myself` left out: `master`, `slave`, `fail?`, `fail`, `handshake`, `noaddr`, `nofailover`, `noflags`. */
  readonly flags: readonly string[];
  /** Empty for a master. */
  readonly masterId: string;
  readonly configEpoch: number;
  readonly connected: boolean;
  readonly slots: readonly SlotRange[];
  readonly migrating: readonly OpenSlot[];
  readonly importing: readonly OpenSlot[];
}

export interface OpenSlot {
  readonly slot: number;
  readonly nodeId: string;
}

/** What one node believes of its cluster. Nodes that agree have the same `hash`. */
export interface ClusterView {
  /** Of the canonical form: sorted by id; `myself`, times and link state left out. */
  readonly hash: string;
  readonly nodes: readonly ViewNode[];
}

/** What a `redis-server` said of itself. */
export interface RedisObservation {
  /** 40 hexadecimal digits (`CLUSTER MYID`). */
  readonly nodeId: string;
  readonly version: string;
  readonly role: NodeRole;
  /** `CLUSTER INFO`: `cluster_state`. */
  readonly clusterState: 'ok' | 'fail';
  readonly slotsAssigned: number;
  readonly knownNodes: number;
  readonly currentEpoch: number;
  readonly configEpoch: number;
  /** `master_repl_offset`, or `slave_repl_offset` on a replica; bytes. */
  readonly replicationOffset: number;
  /** Undefined on a master. */
  readonly masterLinkUp: boolean | undefined;
  /** Seconds since the last interaction with the master; undefined on a master. */
  readonly masterLastIoSeconds: number | undefined;
  readonly syncInProgress: boolean;
  readonly loading: boolean;
  readonly connectedReplicas: number;
  readonly connectedClients: number;
  readonly usedMemoryBytes: number;
  readonly maxmemoryBytes: number;
  readonly keys: number;
  readonly uptimeSeconds: number;
  /** In force now, which a creation lowers for its duration. */
  readonly nodeTimeoutMs: number;
  /** `cluster-replica-no-failover` in force now. */
  readonly replicaNoFailover: boolean;
  readonly aofEnabled: boolean;
  /** False after a failed AOF write or RDB save (`aof_last_write_status`, `rdb_last_bgsave_status`). */
  readonly persistenceOk: boolean;
  /** Soft `nofile` limit really in force in the process, from /proc. */
  readonly nofileSoft: number;
  /** Engines that this server has; `migrate` always. */
  readonly moveEngines: readonly MoveEngine[];
  /**
   * For how long its own open slots (migrating, importing) and the keys in them have been as they are, in milliseconds,
   * as far as its agent has watched; 0 if none is open.
   */
  readonly openSlotsQuietMs: number;
  /** Undefined while that is not known: of a replica, or since its slots have changed. */
  readonly orphanKeys: OrphanKeys | undefined;
  readonly view: ClusterView;
}

/** Keys of a master in slots that it neither owns nor has open: no client can reach them. */
export interface OrphanKeys {
  readonly keys: number;
  /** 0 where the server does not tell in which slots they are. */
  readonly slotCount: number;
  /** The first of them, by number. */
  readonly slots: readonly SlotKeys[];
}

export interface SlotKeys {
  readonly slot: number;
  readonly keys: number;
}

export const NO_ORPHAN_KEYS: OrphanKeys = { keys: 0, slotCount: 0, slots: [] };

export interface NodeObservation {
  readonly key: NodeKey;
  readonly host: string;
  readonly port: number;
  readonly observedAtMs: number;
  readonly process: ProcessObservation;
  /** Undefined when the node did not answer. */
  readonly redis: RedisObservation | undefined;
}

export interface HostObservation {
  readonly name: string;
  readonly status: HostStatus;
  readonly lastSeenMs: number;
  readonly facts: HostFacts | undefined;
  /** Ids of the builds that are installed and verified on the host. */
  readonly builds: readonly InstalledBuild[];
  /** Movers at work there, of any cluster. */
  readonly movers: readonly MoverObservation[];
}

export interface InstalledBuild {
  readonly id: string;
  readonly release: string;
}

export interface Observation {
  readonly hosts: Readonly<Record<string, HostObservation>>;
  readonly nodes: Readonly<Record<NodeKey, NodeObservation>>;
  /** Builds whose archive the controller holds, by platform: the other hosts of the platform fetch them. */
  readonly sharedBuilds: readonly SharedBuild[];
}

export interface SharedBuild {
  readonly id: string;
  readonly release: string;
  readonly platform: string;
}
