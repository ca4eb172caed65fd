/**
 * Steps: one idempotent effect each, a discriminated union. Nothing in a step is left to be chosen by whoever executes it.
 *
 * When a step is due is the planner's business (`planning/`), how it is done the agent's.
 */
import type { Layout, LayoutNode, NodeKey } from './layout.ts';
import type { MoveEnd, MoveEngine, MoveOptions } from './migration.ts';
import type { Release } from './release.ts';
import type { SlotRange } from './slots.ts';

/** Compiles a release on a host and hands the result to the controller for the other hosts of the platform. */
export interface BuildReleaseStep {
  readonly kind: 'buildRelease';
  readonly host: string;
  readonly release: Release;
}

/** Fetches a build of the host's platform from the controller and verifies it. */
export interface FetchBuildStep {
  readonly kind: 'fetchBuild';
  readonly host: string;
  readonly release: Release;
  readonly buildId: string;
}

/** Creates the node's directory and marker, renders its config and tries it with the real binary on a scratch port. */
export interface PrepareNodeStep {
  readonly kind: 'prepareNode';
  readonly host: string;
  readonly plan: NodePlan;
}

/** Everything that an agent must know to render a node's config; part of it is secret when it travels. */
export interface NodePlan {
  readonly cluster: string;
  readonly clusterId: string;
  readonly layoutNumber: number;
  readonly node: LayoutNode;
  readonly release: string;
  /** `redis` or `valkey` version, which decides the options that may be written. */
  readonly product: 'redis' | 'valkey';
  readonly version: string;
  readonly maxmemoryBytes: number | undefined;
  readonly nodeTimeoutMs: number;
  readonly config: Readonly<Record<string, string>>;
}

export interface StartNodeStep {
  readonly kind: 'startNode';
  readonly host: string;
  readonly node: NodeKey;
}

/**
 * Checks that this host reaches data and bus port of nodes on other hosts, before any MEET: a blocked
 * bus port makes a join wait for ever (redis/redis#13268).
 */
export interface ProbeMeshStep {
  readonly kind: 'probeMesh';
  readonly host: string;
  readonly targets: readonly ProbeTarget[];
}

export interface ProbeTarget {
  readonly node: NodeKey;
  readonly address: string;
  readonly port: number;
  readonly busPort: number;
}

/** Sets timing for a creation, or puts it back; in memory only, so that a restart of the node puts it back as well. */
export interface SetTimingStep {
  readonly kind: 'setTiming';
  readonly host: string;
  readonly node: NodeKey;
  readonly nodeTimeoutMs: number;
  /** Lowering the timeout is safe only while replicas do not fail over. */
  readonly replicaNoFailover: boolean;
}

/** `CLUSTER SET-CONFIG-EPOCH` (0: left as it is) and `CLUSTER ADDSLOTS` on a node that knows no other yet. */
export interface ClaimSlotsStep {
  readonly kind: 'claimSlots';
  readonly host: string;
  readonly node: NodeKey;
  readonly configEpoch: number;
  readonly slots: readonly SlotRange[];
}

/** `CLUSTER MEET` with each peer. */
export interface MeetNodesStep {
  readonly kind: 'meetNodes';
  readonly host: string;
  readonly node: NodeKey;
  readonly peers: readonly ProbeTarget[];
}

/** `CLUSTER REPLICATE`; the node must be empty and own no slots. */
export interface AttachReplicaStep {
  readonly kind: 'attachReplica';
  readonly host: string;
  readonly node: NodeKey;
  readonly master: NodeKey;
  /** Redis node id of the master. */
  readonly masterNodeId: string;
}

/**
 * Makes a replica the master of its shard: CLUSTER FAILOVER on it, never FORCE or TAKEOVER, so that the old master
 * holds its clients until the replica has everything (Redis command page CLUSTER FAILOVER). Done when the node is
 * master and the old one follows it.
 */
export interface HandoffMasterStep {
  readonly kind: 'handoffMaster';
  readonly host: string;
  /** The replica that shall be master. */
  readonly node: NodeKey;
  readonly master: NodeKey;
  /** Redis node id of the master that hands over. */
  readonly masterNodeId: string;
}

/**
 * `CLUSTER FORGET` of each id on one node. It has to reach every node within a minute, after which gossip may bring
 * an id back (Redis command page CLUSTER FORGET, "The command bans the removed node").
 */
export interface ForgetNodesStep {
  readonly kind: 'forgetNodes';
  readonly host: string;
  readonly node: NodeKey;
  /** Redis node ids, sorted; none of them owns a slot. */
  readonly nodeIds: readonly string[];
}

/**
 * Moves slots from one master to another and ends when they are there, when it is told to stop, or when it cannot go
 * on. Idempotent: what the task finds moved or half open, whoever opened it, it goes on from there. An agent that has
 * a mover of the same pair at work attaches to that one and renews its lease.
 */
export interface MoveSlotsStep {
  readonly kind: 'moveSlots';
  /** The source's host; the target's for `redis-atomic`. */
  readonly host: string;
  /** The end that is on that host. */
  readonly node: NodeKey;
  readonly engine: MoveEngine;
  readonly source: MoveEnd;
  readonly target: MoveEnd;
  readonly slots: readonly SlotRange[];
  readonly sourceReplicas: readonly MoveEnd[];
  readonly targetReplicas: readonly MoveEnd[];
  /** Every other master: witnesses before a slot is finalised, and to be told afterwards where gossip lags. */
  readonly otherMasters: readonly MoveEnd[];
  readonly nodeTimeoutMs: number;
  readonly options: MoveOptions;
}

/** Tells every mover of the cluster on a host to stop, and waits until nothing of theirs is half open. */
export interface StopMovesStep {
  readonly kind: 'stopMoves';
  readonly host: string;
}

/** Writes, reads back and removes a key of the master's own slots: proof that it takes writes. */
export interface VerifyWriteStep {
  readonly kind: 'verifyWrite';
  readonly host: string;
  readonly node: NodeKey;
}

/** SHUTDOWN, then SIGTERM, then SIGKILL, each with a deadline. */
export interface StopNodeStep {
  readonly kind: 'stopNode';
  readonly host: string;
  readonly node: NodeKey;
}

/** Moves the stopped node's directory to the trash folder, or deletes it. */
export interface RemoveNodeStep {
  readonly kind: 'removeNode';
  readonly host: string;
  readonly node: NodeKey;
  readonly purge: boolean;
}

export type Step =
  | BuildReleaseStep
  | FetchBuildStep
  | PrepareNodeStep
  | StartNodeStep
  | ProbeMeshStep
  | SetTimingStep
  | ClaimSlotsStep
  | MeetNodesStep
  | AttachReplicaStep
  | HandoffMasterStep
  | ForgetNodesStep
  | MoveSlotsStep
  | StopMovesStep
  | VerifyWriteStep
  | StopNodeStep
  | RemoveNodeStep;

export type StepKind = Step['kind'];

/** What names a step in journals: equal keys mean the same effect on the same thing. */
export function stepKey(step: Step): string {
  switch (step.kind) {
    case 'buildRelease':
    case 'fetchBuild':
      return `${step.kind} ${step.host} ${step.release.name}`;
    case 'probeMesh':
    case 'stopMoves':
      return `${step.kind} ${step.host}`;
    case 'moveSlots':
      return `${step.kind} ${step.source.node} > ${step.target.node} ${step.engine}`;
    case 'prepareNode':
      return `${step.kind} ${step.plan.node.key}`;
    case 'setTiming':
      return `${step.kind} ${step.node} ${step.nodeTimeoutMs}`;
    case 'forgetNodes':
      return `${step.kind} ${step.node} ${step.nodeIds.join(',')}`;
    default:
      return `${step.kind} ${step.node}`;
  }
}

/** What the agent checks on the node itself just before it acts; a mismatch is refused as `fenced`. */
export interface StepPreconditions {
  /** Redis node id; empty: not checked. */
  readonly nodeId: string;
  readonly role: 'master' | 'replica' | '';
}

/** What a command carries so that an old controller, operation or layout cannot act (design: fencing). */
export interface Fence {
  readonly incarnation: number;
  readonly cluster: string;
  readonly operationId: string;
  readonly layoutNumber: number;
  readonly expiresAtMs: number;
  readonly preconditions: StepPreconditions;
}

/** The plan of a node's config, derived from the layout alone. */
export function nodePlanOf(layout: Layout, node: LayoutNode, release: Release): NodePlan {
  return {
    cluster: layout.cluster,
    clusterId: layout.clusterId,
    layoutNumber: layout.number,
    node,
    release: release.name,
    product: release.product,
    version: release.version,
    maxmemoryBytes: layout.maxmemoryBytes,
    nodeTimeoutMs: layout.nodeTimeoutMs,
    config: layout.config,
  };
}
