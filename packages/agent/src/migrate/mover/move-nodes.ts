/**
 * The nodes of one task as the mover reaches them: asked all together, each in its own words. Links
 * that broke are made anew by the next reading, if the node is there again. Nothing is judged here.
 */
import {
  clusterViewOf,
  readClusterNodes,
  type Asked,
  type ClusterNodesReading,
  type MoveEnd,
  type MoveReading,
  type MoveSlotsStep,
  type NodeReading,
} from '@redrover/core';
import { Link } from '../link/link.ts';
import { encode } from '../link/resp-command.ts';
import { ReplyFault, type Reply, replyText } from '../link/resp-parser.ts';

export interface KeyCounts {
  readonly source: number;
  readonly target: number;
}

export interface WindowReading {
  readonly move: Omit<MoveReading, 'ageMs'>;
  /** When the first of it was asked for, by the monotonic clock. */
  readonly atTick: number;
  readonly counts: ReadonlyMap<number, KeyCounts>;
}

/** Everything that is asked here takes microseconds; whoever needs longer counts as silent. */
const READ_TIMEOUT_MS = 3_000;
/** A node that is down refuses at once: it is not asked at the speed of the others. */
const REDIAL_MS = 200;

const ROLE = encode('ROLE');
const CLUSTER_NODES = encode('CLUSTER', 'NODES');
const CLUSTER_INFO = encode('CLUSTER', 'INFO');

/** Each slot is counted a dozen times on both ends. */
const countCommands: Buffer[] = [];

function countCommand(slot: number): Buffer {
  return (countCommands[slot] ??= encode('CLUSTER', 'COUNTKEYSINSLOT', slot));
}

/** One node: its link, if there is one, and its last view, which is not read twice. */
export class MoveNode {
  readonly end: MoveEnd;
  readonly #password: string;
  #link: Link | undefined;
  #dialedTick = -Infinity;
  #nodes: ClusterNodesReading | undefined;

  constructor(end: MoveEnd, password: string) {
    this.end = end;
    this.#password = password;
  }

  /** @throws RedroverError `unavailable`; at once if it was refused a moment ago. */
  async link(): Promise<Link> {
    if (this.#link?.isOpen === true) return this.#link;
    this.#link = await this.openLink();
    return this.#link;
  }

  /** The link that the last reading came over; undefined if it broke since. */
  get openLinkNow(): Link | undefined {
    return this.#link?.isOpen === true ? this.#link : undefined;
  }

  /** Another connection, which is the caller's to close. */
  openLink(): Promise<Link> {
    const { node: key, address, port } = this.end;
    return Link.open({ key, address, port, password: this.#password });
  }

  close(): void {
    this.#link?.close();
  }

  /** Undefined if it does not answer; the counts are of the given slots. */
  async read(
    slots: readonly number[],
  ): Promise<{ reading: NodeReading; keys: readonly number[] } | undefined> {
    if (this.#link?.isOpen !== true && performance.now() - this.#dialedTick < REDIAL_MS) {
      return undefined;
    }
    this.#dialedTick = performance.now();
    try {
      const link = await this.link();
      const counts = slots.map(countCommand);
      // Of the ends only: it counts all slots, which takes as long as everything else here.
      const info = slots.length === 0 ? [] : [CLUSTER_INFO];
      const replies = await link.exchange({
        commands: [CLUSTER_NODES, ROLE, ...info, ...counts],
        what: 'reading the cluster',
        timeoutMs: READ_TIMEOUT_MS,
      });
      return this.#understand(replies, slots.length);
    } catch {
      // Not answering is a fact about the node, which the slot machine judges.
      return undefined;
    }
  }

  #understand(replies: readonly Reply[], slotCount: number) {
    const [nodes, role, info] = replies;
    if (nodes instanceof ReplyFault) return this.#refused(nodes);
    if (!Buffer.isBuffer(nodes) || !Array.isArray(role)) return undefined;
    const keys = replies.slice(replies.length - slotCount).map(Number);
    if (keys.some(Number.isNaN)) return undefined;
    this.#nodes = readClusterNodes(nodes.toString(), this.#nodes);
    const { myselfId, view } = this.#nodes;
    const reading: NodeReading = {
      nodeId: myselfId,
      view,
      ...readRole(role as readonly Reply[]),
      loading: false,
      // Nobody asks it of the others.
      stateOk: !Buffer.isBuffer(info) || info.includes('cluster_state:ok'),
    };
    return { reading, keys };
  }

  /**
   * While a dataset is loaded, CLUSTER is refused, and who answers is not said: whoever was meant. Nor what it is;
   * a replica that loads what its master sent must not be taken for one that was promoted.
   */
  #refused({ code }: ReplyFault) {
    if (code !== 'LOADING') return undefined;
    const reading: NodeReading = {
      nodeId: this.end.nodeId,
      view: clusterViewOf([]),
      role: 'replica',
      loading: true,
      stateOk: false,
      offsetBytes: 0,
    };
    return { reading, keys: [] };
  }
}

/** `ROLE` answers `master offset replicas` or `slave address port state offset`. */
export function readRole(reply: readonly Reply[]): Pick<NodeReading, 'role' | 'offsetBytes'> {
  const isMaster = replyText(reply[0]) === 'master';
  const offset = Number(isMaster ? reply[1] : reply[4]);
  return { role: isMaster ? 'master' : 'replica', offsetBytes: offset };
}

export class MoveNodes {
  readonly source: MoveNode;
  readonly target: MoveNode;
  readonly sourceReplicas: readonly MoveNode[];
  readonly targetReplicas: readonly MoveNode[];
  readonly otherMasters: readonly MoveNode[];
  readonly #nodeTimeoutMs: number;

  constructor(step: MoveSlotsStep, password: string) {
    const node = (end: MoveEnd) => new MoveNode(end, password);
    this.source = node(step.source);
    this.target = node(step.target);
    this.sourceReplicas = step.sourceReplicas.map(node);
    this.targetReplicas = step.targetReplicas.map(node);
    this.otherMasters = step.otherMasters.map(node);
    this.#nodeTimeoutMs = step.nodeTimeoutMs;
  }

  /** Asks every node once; the target's replicas after the target, as their offsets are compared. */
  async read(slots: readonly number[]): Promise<WindowReading> {
    const atTick = performance.now();
    const [source, [target, targetReplicas], sourceReplicas, otherMasters] = await Promise.all([
      this.source.read(slots),
      this.#readTarget(slots),
      readAll(this.sourceReplicas),
      readAll(this.otherMasters),
    ]);
    const counts = new Map<number, KeyCounts>();
    for (const [index, slot] of slots.entries()) {
      counts.set(slot, { source: source?.keys[index] ?? 0, target: target?.keys[index] ?? 0 });
    }
    const move = {
      source: { end: this.source.end, reading: source?.reading },
      target: { end: this.target.end, reading: target?.reading },
      sourceReplicas,
      targetReplicas,
      otherMasters,
      sourceOtherRole: undefined,
      targetOtherRole: undefined,
      nodeTimeoutMs: this.#nodeTimeoutMs,
    };
    return { move, atTick, counts };
  }

  /** A master other than the ends, by its id. */
  find(nodeId: string): MoveNode | undefined {
    return this.otherMasters.find(({ end }) => end.nodeId === nodeId);
  }

  close(): void {
    const others = [...this.sourceReplicas, ...this.targetReplicas, ...this.otherMasters];
    for (const node of [this.source, this.target, ...others]) node.close();
  }

  async #readTarget(slots: readonly number[]) {
    const target = await this.target.read(slots);
    return [target, await readAll(this.targetReplicas)] as const;
  }
}

function readAll(nodes: readonly MoveNode[]): Promise<Asked[]> {
  return Promise.all(
    nodes.map(async (node) => ({ end: node.end, reading: (await node.read([]))?.reading })),
  );
}
