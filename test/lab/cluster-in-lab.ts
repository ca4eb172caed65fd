/**
 * A cluster on a lab's hosts: made by the command line, and waited for by what its nodes say. How
 * hosts fail is the lab's matter, what follows from that the tests'.
 */
import { expect } from 'vitest';

import { until } from '../support/until.ts';
import type { Lab } from './lab.ts';
import { RedisWitness } from './redis-witness.ts';
import type { Endpoint, WitnessedNode } from './redis-witness.ts';

export interface ClusterOptions {
  readonly name: string;
  /** Default 3. */
  readonly shards?: number;
  /** Default 2000: short enough for many failovers in a test, long enough for a busy machine. */
  readonly nodeTimeoutMs?: number;
  /** Default manual. */
  readonly repair?: 'manual' | 'auto';
}

/** A node as the layout has it. */
export interface PlannedNode extends Endpoint {
  readonly key: string;
  readonly shard: string;
  readonly preferredRole: 'master' | 'replica';
}

interface FindingJson {
  readonly rule: string;
  readonly severity: string;
  readonly subject: string;
  readonly message: string;
  readonly evidence: readonly string[];
  readonly remedy: string;
}

export interface CheckJson {
  readonly ok: boolean;
  readonly findings: readonly FindingJson[];
}

/** Quick enough for a test; the default of five minutes is for networks that flap. */
const REPAIR_QUIET_MS = 5_000;

// Detection, election, reboot, resynchronisation and repair, on two cores shared with others.
const RECOVERY_TIMEOUT_MS = 90_000;

export class ClusterInLab {
  readonly name: string;
  readonly lab: Lab;
  readonly witness: RedisWitness;
  readonly nodes: readonly PlannedNode[];
  readonly nodeTimeoutMs: number;

  private constructor(input: Pick<ClusterInLab, 'name' | 'lab' | 'witness' | 'nodes'>, ms: number) {
    this.name = input.name;
    this.lab = input.lab;
    this.witness = input.witness;
    this.nodes = input.nodes;
    this.nodeTimeoutMs = ms;
  }

  /** Resolves when every node agrees that it is healthy. */
  static async create(lab: Lab, options: ClusterOptions): Promise<ClusterInLab> {
    const { name, nodeTimeoutMs = 2_000 } = options;
    await applySpec(lab, { ...options, nodeTimeoutMs });
    const { password } = await lab.credentials(name);
    const { nodes } = await lab.redroverJson<{ nodes: PlannedNode[] }>(['cluster', 'show', name]);
    const witness = new RedisWitness(lab, password);
    const cluster = new ClusterInLab({ name, lab, witness, nodes }, nodeTimeoutMs);
    await cluster.untilHealthy();
    return cluster;
  }

  nodesOn(host: string): readonly PlannedNode[] {
    return this.nodes.filter((node) => node.host === host);
  }

  /** Those on hosts that are up, though perhaps not running themselves. */
  get reachable(): readonly PlannedNode[] {
    return this.nodes.filter(({ host }) => this.lab.isUp(host));
  }

  membersOf(shard: string): readonly PlannedNode[] {
    return this.nodes.filter((node) => node.shard === shard);
  }

  planned(entry: Pick<WitnessedNode, 'address' | 'port'>): PlannedNode {
    const found = this.nodes.find(
      ({ host, port }) => this.lab.addressOf(host) === entry.address && port === entry.port,
    );
    if (found === undefined) throw new Error(`no node at ${entry.address}:${entry.port}`);
    return found;
  }

  /** The living masters with slots, in the view of a node. */
  async mastersSeenBy(node: Endpoint): Promise<PlannedNode[]> {
    const entries = await this.witness.nodes(node);
    return entries.filter(isLivingMaster).map((entry) => this.planned(entry));
  }

  /** How many masters each host has now, by the word of a node; hosts without one are left out. */
  async mastersByHost(node: Endpoint): Promise<Readonly<Record<string, number>>> {
    const counts: Record<string, number> = {};
    for (const { host } of await this.mastersSeenBy(node)) counts[host] = (counts[host] ?? 0) + 1;
    return counts;
  }

  /**
   * Every node of the layout says ok, is master or a replica in sync, and redis-cli's own check has
   * nothing to complain of.
   */
  async untilHealthy(): Promise<void> {
    await this.untilServing(this.nodes);
    await until(
      `all replicas of ${this.name} are in sync`,
      async () => {
        for (const node of this.nodes) {
          const { masterId } = await this.witness.myself(node);
          if (masterId !== '' && !(await this.witness.isReplicaInSync(node))) return false;
        }
        return true;
      },
      RECOVERY_TIMEOUT_MS,
    );
    await until(
      `redis-cli has no complaints of ${this.name}`,
      async () => {
        const complaints = await this.witness.complaints(this.nodes[0] ?? missing());
        if (complaints !== '') throw new Error(complaints);
        return true;
      },
      RECOVERY_TIMEOUT_MS,
    );
  }

  /** Each of these says cluster_state ok. */
  async untilServing(nodes: readonly Endpoint[]): Promise<void> {
    await this.#untilState(nodes, 'ok');
  }

  /** Each of these says cluster_state fail. */
  async untilRefusing(nodes: readonly Endpoint[]): Promise<void> {
    await this.#untilState(nodes, 'fail');
  }

  /** Each node has the role that the layout prefers, by its own word. */
  async untilRolesAreHome(): Promise<void> {
    await until(
      `the roles of ${this.name} are home`,
      async () => {
        for (const node of this.nodes) {
          const { masterId } = await this.witness.myself(node);
          const role = masterId === '' ? 'master' : 'replica';
          if (role !== node.preferredRole) throw new Error(`${node.key} is ${role}`);
        }
        return true;
      },
      RECOVERY_TIMEOUT_MS,
    );
  }

  async check(): Promise<CheckJson> {
    return this.lab.redroverJson<CheckJson>(['cluster', 'check', this.name]);
  }

  /** `redrover cluster check` has nothing to say, not even as information. */
  async untilCheckIsClean(): Promise<void> {
    await until(
      `redrover has no findings of ${this.name}`,
      async () => {
        const { findings } = await this.check();
        if (findings.length > 0) throw new Error(JSON.stringify(findings, undefined, 2));
        return true;
      },
      RECOVERY_TIMEOUT_MS,
    );
  }

  async #untilState(nodes: readonly Endpoint[], wanted: string): Promise<void> {
    await until(
      `cluster_state ${wanted} on ${nodes.map(({ host, port }) => `${host}:${port}`).join(', ')}`,
      async () => {
        for (const node of nodes) {
          const state = await this.witness.state(node);
          if (state !== wanted) throw new Error(`${node.host}:${node.port} says ${state}`);
        }
        return true;
      },
      RECOVERY_TIMEOUT_MS,
    );
  }
}

/** Makes the cluster, or changes it to this. Errors: the command fails. */
export async function applySpec(lab: Lab, options: ClusterOptions): Promise<void> {
  const spec = await lab.writeSpec({ ...options, repairQuietMs: REPAIR_QUIET_MS });
  const applied = await lab.redrover(['cluster', 'apply', '-f', spec, '--yes']);
  expect(applied, applied.stderr).toMatchObject({ exitCode: 0 });
}

export function isLivingMaster({ flags, slots }: WitnessedNode): boolean {
  return flags.includes('master') && !flags.includes('fail') && slots.length > 0;
}

function missing(): never {
  throw new Error('the cluster has no nodes');
}
