/**
 * What the nodes of a lab's cluster say themselves, by redis-cli from the client's host, and waiting
 * for them to say it: roles, states and replication. What Redrover says is asked elsewhere.
 */
import { until } from '../support/until.ts';
import type { ClusterInLab, NodeAddress, NodeView } from './cluster-in-lab.ts';
import { CLIENT } from './lab.ts';
import { findLabRelease } from './release.ts';

/** A node as it was made: what of it never changes. */
export interface PlannedNode extends NodeAddress {
  readonly key: string;
  readonly shard: string;
  readonly preferredRole: NodeView['preferredRole'];
}

/** A line of `CLUSTER NODES`. */
export interface WitnessedNode {
  readonly id: string;
  readonly address: string;
  readonly port: number;
  readonly flags: readonly string[];
  /** Empty for a master. */
  readonly masterId: string;
  readonly slots: readonly string[];
}

// Packets to a host that is down vanish, and redis-cli would wait for minutes.
const ANSWER_TIMEOUT_S = 3;
// Detection, election, reboot and resynchronisation, on two cores shared with others.
const RECOVERY_TIMEOUT_MS = 90_000;

export class RedisWitness {
  readonly nodes: readonly PlannedNode[];
  readonly #cluster: ClusterInLab;

  private constructor(cluster: ClusterInLab, nodes: readonly PlannedNode[]) {
    this.#cluster = cluster;
    this.nodes = nodes;
  }

  /** Takes the nodes from the layout, and waits until they are all healthy. */
  static async of(cluster: ClusterInLab): Promise<RedisWitness> {
    const witness = new RedisWitness(cluster, await cluster.nodes());
    await witness.untilHealthy();
    return witness;
  }

  nodesOn(...hosts: readonly string[]): PlannedNode[] {
    return this.nodes.filter(({ host }) => hosts.includes(host));
  }

  membersOf(shard: string): PlannedNode[] {
    return this.nodes.filter((node) => node.shard === shard);
  }

  /** Errors: no answer, or one that is an error. */
  async ask(node: NodeAddress, command: readonly string[]): Promise<string> {
    const { lab, password } = this.#cluster;
    const target = ['-h', lab.addressOf(node.host), '-p', `${node.port}`];
    const client = ['timeout', `${ANSWER_TIMEOUT_S}`, findLabRelease().redisCli.host, '-e'];
    const { exitCode, stdout, stderr } = await lab.exec(
      CLIENT,
      [...client, ...target, ...command],
      {
        reject: false,
        env: { REDISCLI_AUTH: password },
      },
    );
    if (exitCode === 0) return stdout;
    throw new Error(`${nameOf(node)} does not answer: ${stderr || stdout}`);
  }

  /** `ok` or `fail`, by CLUSTER INFO. */
  async state(node: NodeAddress): Promise<string> {
    return field(await this.ask(node, ['cluster', 'info']), 'cluster_state');
  }

  async view(node: NodeAddress): Promise<WitnessedNode[]> {
    const text = await this.ask(node, ['cluster', 'nodes']);
    return text.split('\n').filter(Boolean).map(parseLine);
  }

  /** By its own word. */
  async role(node: NodeAddress): Promise<NodeView['role']> {
    const self = (await this.view(node)).find(({ flags }) => flags.includes('myself'));
    if (self === undefined) throw new Error(`${nameOf(node)} does not know itself`);
    return self.masterId === '' ? 'master' : 'replica';
  }

  /** The masters with slots that have not failed, in the view of a node. */
  async mastersSeenBy(node: NodeAddress): Promise<PlannedNode[]> {
    const entries = await this.view(node);
    return entries.filter(isLivingMaster).map((entry) => this.#planned(entry));
  }

  /** How many masters each host has now, in the view of a node; hosts without one are left out. */
  async mastersByHost(node: NodeAddress): Promise<Readonly<Record<string, number>>> {
    const counts: Record<string, number> = {};
    for (const { host } of await this.mastersSeenBy(node)) counts[host] = (counts[host] ?? 0) + 1;
    return counts;
  }

  /** Each says cluster_state ok, and is master or a replica in sync; redis-cli's check is clean. */
  async untilHealthy(): Promise<void> {
    await this.untilState(this.nodes, 'ok');
    await untilEach(this.nodes, 'is master or in sync', async (node) => {
      const text = await this.ask(node, ['info', 'replication']);
      if (field(text, 'role') === 'master') return true;
      const isUp = field(text, 'master_link_status') === 'up';
      return isUp && field(text, 'master_sync_in_progress') === '0';
    });
    await until(
      'redis-cli has no complaints',
      async () => {
        const { ok, text } = await this.#cluster.witness(this.nodes[0] ?? noNode());
        if (!ok) throw new Error(text);
        return true;
      },
      RECOVERY_TIMEOUT_MS,
    );
  }

  async untilState(nodes: readonly NodeAddress[], wanted: 'ok' | 'fail'): Promise<void> {
    await untilEach(nodes, `says ${wanted}`, async (node) => (await this.state(node)) === wanted);
  }

  async untilRole(nodes: readonly NodeAddress[], wanted: NodeView['role']): Promise<void> {
    await untilEach(nodes, `is ${wanted}`, async (node) => (await this.role(node)) === wanted);
  }

  /** Each node has the role that the layout prefers, by its own word. */
  async untilRolesAreHome(): Promise<void> {
    for (const role of ['master', 'replica'] as const) {
      await this.untilRole(
        this.nodes.filter(({ preferredRole }) => preferredRole === role),
        role,
      );
    }
  }

  #planned(entry: WitnessedNode): PlannedNode {
    const { lab } = this.#cluster;
    const found = this.nodes.find(
      ({ host, port }) => lab.addressOf(host) === entry.address && port === entry.port,
    );
    if (found === undefined) throw new Error(`no node at ${entry.address}:${entry.port}`);
    return found;
  }
}

/** Resolves when it was true of each node once, one after the other. */
async function untilEach<Node extends NodeAddress>(
  nodes: readonly Node[],
  what: string,
  condition: (node: Node) => Promise<boolean>,
): Promise<void> {
  for (const node of nodes) {
    await until(`${nameOf(node)} ${what}`, () => condition(node), RECOVERY_TIMEOUT_MS);
  }
}

function isLivingMaster({ flags, slots }: WitnessedNode): boolean {
  return flags.includes('master') && !flags.includes('fail') && slots.length > 0;
}

/** `id address:port@bus flags master ping pong epoch link slots…`, see the page of CLUSTER NODES. */
function parseLine(line: string): WitnessedNode {
  const [id = '', endpoint = '', flags = '', master = '', , , , , ...slots] = line
    .trim()
    .split(' ');
  const [address = '', port = ''] = (endpoint.split('@')[0] ?? '').split(':');
  const masterId = master === '-' ? '' : master;
  return { id, address, port: Number(port), flags: flags.split(','), masterId, slots };
}

function field(text: string, name: string): string {
  const line = text.split('\n').find((each) => each.startsWith(`${name}:`));
  return line?.slice(name.length + 1).trim() ?? '';
}

function nameOf({ host, port }: NodeAddress): string {
  return `${host}:${port}`;
}

function noNode(): never {
  throw new Error('the cluster has no nodes');
}
