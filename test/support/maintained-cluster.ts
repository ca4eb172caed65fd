/**
 * A cluster with keys in it, looked after through the command line alone. What the command line claims
 * is asked of the nodes themselves, of `redis-cli`, and of a client of another make.
 */
import { endProcess, identifyProcess, sendSignal } from '@redrover/cli';

import { connectCluster, countKeys, writeKeys } from './cluster-client.ts';
import type { CommandResult, TestStack } from './stack.ts';
import { until } from './until.ts';
import { askWitness, runRedisCli } from './witness.ts';

export interface NodeJson {
  readonly id: string;
  readonly key: string;
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly role: string;
  readonly preferredRole: string;
  readonly wantedRole: string;
  readonly state: string;
  readonly shard: string;
  readonly pid: number | null;
  /** What it says otherwise than most nodes do. */
  readonly disagreements: readonly string[];
}

// Detection takes up to 1.5 times of it; the tests should not take longer than they must.
const NODE_TIMEOUT_MS = 1_000;
const KEYS = 500;

/** Errors: of a command that exits with anything but 0, with all that it said. */
export async function succeed(
  stack: TestStack,
  ...args: readonly string[]
): Promise<CommandResult> {
  const result = await stack.redrover(args);
  if (result.exitCode === 0) return result;
  const said = `${result.stdout}\n${result.stderr}`;
  throw new Error(`redrover ${args.join(' ')} exited with ${result.exitCode}: ${said}`);
}

export class MaintainedCluster {
  readonly name: string;
  readonly #stack: TestStack;
  readonly #password: string;

  private constructor(stack: TestStack, name: string, password: string) {
    this.#stack = stack;
    this.name = name;
    this.#password = password;
  }

  /** 3 + 3 nodes, with keys over all slots. */
  static async create(
    stack: TestStack,
    spec: Readonly<Record<string, unknown>> & { readonly name: string },
  ): Promise<MaintainedCluster> {
    const file = await stack.writeSpec({ nodeTimeoutMs: NODE_TIMEOUT_MS, ...spec });
    await succeed(stack, 'cluster', 'apply', '-f', file, '--yes');
    const { password } = await stack.credentials(spec.name);
    const cluster = new MaintainedCluster(stack, spec.name, password);
    const client = connectCluster({ ...(await cluster.someNode()), password });
    try {
      await writeKeys(client, 'kept', KEYS);
    } finally {
      client.disconnect();
    }
    return cluster;
  }

  async nodes(): Promise<readonly NodeJson[]> {
    const args = ['cluster', 'show', this.name];
    return (await this.#stack.redroverJson<{ nodes: NodeJson[] }>(args)).nodes;
  }

  async nodesOn(host: string): Promise<readonly NodeJson[]> {
    return (await this.nodes()).filter((node) => node.host === host);
  }

  /** One that runs, on the host if one is named. */
  async someNode(host?: string): Promise<NodeJson> {
    const node = (await this.nodes()).find(
      (each) => each.state === 'running' && (host === undefined || each.host === host),
    );
    if (node === undefined)
      throw new Error(`no node of ${this.name} runs on ${host ?? 'any host'}`);
    return node;
  }

  /** A command of `redis-cli` on one node. */
  async ask({ address, port }: NodeJson, ...command: readonly string[]): Promise<string> {
    const at = ['-h', address, '-p', String(port)];
    return (await runRedisCli([...at, ...command], this.#password)).text;
  }

  /** As the node itself says, in the words of `ROLE`. */
  async roleOf(node: NodeJson): Promise<string> {
    const [role = ''] = (await this.ask(node, 'ROLE')).split('\n');
    return role === 'slave' ? 'replica' : role;
  }

  /** Nodes that say of themselves that they are not what the layout prefers. */
  async rolesAway(): Promise<readonly string[]> {
    const away: string[] = [];
    for (const node of await this.nodes()) {
      const role = await this.roleOf(node);
      if (role !== node.preferredRole) away.push(`${node.key}: ${role}`);
    }
    return away;
  }

  /** In the eyes of `redis-cli --cluster check`, which may ask before the last gossip is through. */
  async untilHealthy({ masters = 3, replicas = 3 } = {}): Promise<void> {
    const { address, port } = await this.someNode();
    await until(`redis-cli finds ${this.name} healthy`, async () => {
      const verdict = await askWitness({ address, port, password: this.#password });
      if (!verdict.ok) throw new Error(verdict.text);
      return verdict.masters === masters && verdict.replicas === replicas;
    });
  }

  /** Of the keys that were written at the start, how many another client does not find. */
  async keysLost(): Promise<number> {
    const client = connectCluster({ ...(await this.someNode()), password: this.#password });
    try {
      return KEYS - (await countKeys(client, 'kept', KEYS));
    } finally {
      client.disconnect();
    }
  }

  /** Holds the master on a host for so long that its replica takes over, then lets it go. */
  async makeRolesDrift(host: string): Promise<void> {
    const before = await this.nodes();
    const master = before.find((node) => node.host === host && node.role === 'master');
    const replica = before.find(({ shard, role }) => shard === master?.shard && role === 'replica');
    const identity = identifyProcess(master?.pid ?? 0);
    if (master === undefined || replica === undefined || identity === undefined) {
      throw new Error(`no master of ${this.name} with a replica runs on ${host}`);
    }
    const says = async (node: NodeJson, expected: RegExp): Promise<boolean> =>
      expected.test(await this.ask(node, 'ROLE'));
    sendSignal(identity, 'SIGSTOP');
    try {
      await until(`${replica.key} takes over`, () => says(replica, /^master/));
    } finally {
      sendSignal(identity, 'SIGCONT');
    }
    await until(`${master.key} follows`, () => says(master, /^slave[^]*\nconnected\n/));
  }

  /**
   * In the eyes of the controller. Agents report one after the other: of the old master that it is
   * a replica, before anybody else's word of the new one, so for a moment nobody leads the shard.
   */
  async untilDriftIsSeen(): Promise<void> {
    await until(`all nodes of ${this.name} tell of the drift`, async () => {
      const nodes = await this.nodes();
      const shards = new Set(nodes.map(({ shard }) => shard));
      const led = nodes.flatMap(({ role, shard }) => (role === 'master' ? [shard] : []));
      const isLed = led.length === shards.size && new Set(led).size === shards.size;
      const isAgreed = nodes.every(({ disagreements }) => disagreements.length === 0);
      return isLed && isAgreed && nodes.some(({ role, wantedRole }) => role !== wantedRole);
    });
  }

  /** As a power cut would: first the agent, which would start the nodes again. */
  async killHost(host: string): Promise<void> {
    const nodes = (await this.nodesOn(host)).map(({ pid }) => identifyProcess(pid ?? 0));
    for (const identity of [this.#stack.stack.agentProcess(host), ...nodes]) {
      if (identity === undefined) throw new Error(`${host} is not up`);
      await endProcess(identity, { signal: 'SIGKILL', graceMs: 5_000 });
    }
  }
}
