/**
 * What nodes say themselves, asked over connections of the test's own: owners, open slots and keys, slot by
 * slot. Nothing of the product is asked, and nothing is judged by a client that follows redirections.
 */
import { Redis } from 'ioredis';

export interface RawNode {
  readonly host: string;
  readonly port: number;
}

export interface RawAccess {
  readonly nodes: readonly RawNode[];
  readonly password: string;
}

const SLOTS = 16_384;
const CONNECT_TIMEOUT_MS = 2_000;
const ANSWER_TIMEOUT_MS = 10_000;
const MAX_LISTED = 10;

/** One command, or several, on one node; the connection is closed afterwards. */
export async function withNode<T>(
  { host, port }: RawNode,
  password: string,
  work: (client: Redis) => Promise<T>,
): Promise<T> {
  const client = new Redis({
    host,
    port,
    password,
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: ANSWER_TIMEOUT_MS,
    retryStrategy: null,
    maxRetriesPerRequest: 0,
  });
  // It reaches whoever sent the command.
  client.on('error', () => {});
  try {
    await client.connect();
    return await work(client);
  } finally {
    client.disconnect();
  }
}

export interface NodeTruth {
  readonly address: string;
  readonly id: string;
  readonly role: 'master' | 'replica';
  /** Of a replica whose link is up, and of every master. */
  readonly isLinked: boolean;
  readonly clusterState: string;
  /** By slot, the id of its owner as this node sees it; empty: nobody. */
  readonly owners: readonly string[];
  readonly openSlots: readonly string[];
  /** By slot. */
  readonly keys: readonly number[];
  readonly pid: number;
}

export async function askNode(node: RawNode, password: string): Promise<NodeTruth> {
  return withNode(node, password, async (client) => {
    const lines = String(await client.call('CLUSTER', 'NODES'))
      .trim()
      .split('\n');
    const info = String(await client.call('CLUSTER', 'INFO'));
    const replication = await client.info('replication');
    const server = await client.info('server');
    const role = /role:slave/.test(replication) ? 'replica' : 'master';
    return {
      address: `${node.host}:${node.port}`,
      id: lines.find((line) => line.includes('myself'))?.split(' ')[0] ?? '',
      role,
      isLinked: role === 'master' || replication.includes('master_link_status:up'),
      clusterState: /cluster_state:(\w+)/.exec(info)?.[1] ?? '',
      owners: ownersIn(lines),
      openSlots: lines.flatMap((line) => line.match(/\[\d+-[<>]-[0-9a-f]+\]/g) ?? []),
      keys: await countKeys(client),
      pid: Number(/process_id:(\d+)/.exec(server)?.[1] ?? 0),
    };
  });
}

function ownersIn(lines: readonly string[]): string[] {
  const owners = Array.from({ length: SLOTS }, () => '');
  for (const line of lines) {
    const [id = '', , , , , , , , ...ranges] = line.split(' ');
    for (const range of ranges.filter((each) => !each.startsWith('['))) {
      const [start = 0, end = start] = range.split('-').map(Number);
      for (let slot = start; slot <= end; slot += 1) owners[slot] = id;
    }
  }
  return owners;
}

async function countKeys(client: Redis): Promise<number[]> {
  const pipeline = client.pipeline();
  for (let slot = 0; slot < SLOTS; slot += 1) pipeline.call('CLUSTER', 'COUNTKEYSINSLOT', slot);
  const answers = (await pipeline.exec()) ?? [];
  return answers.map(([error, count]) => {
    if (error !== null) throw error;
    return Number(count);
  });
}

export interface ClusterTruth {
  readonly nodes: readonly NodeTruth[];
  /** Keys of all masters, in slots that they own. */
  readonly keys: number;
  /** Everything that is not as it is in a cluster at rest; empty: all is well. */
  readonly faults: readonly string[];
}

/** Asks every node. A node that does not answer is a fault like any other. */
export async function askCluster({ nodes, password }: RawAccess): Promise<ClusterTruth> {
  const answers = await Promise.allSettled(nodes.map((node) => askNode(node, password)));
  const truths = answers.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const silent = answers.flatMap((each, index) =>
    each.status === 'rejected'
      ? [`${nodes[index]?.host}:${nodes[index]?.port}: ${each.reason}`]
      : [],
  );
  return {
    nodes: truths,
    keys: truths
      .filter(({ role }) => role === 'master')
      .reduce((sum, node) => sum + ownKeys(node), 0),
    faults: [...silent, ...findFaults(truths)],
  };
}

function ownKeys(node: NodeTruth): number {
  return node.keys.reduce(
    (sum, count, slot) => sum + (node.owners[slot] === node.id ? count : 0),
    0,
  );
}

function findFaults(nodes: readonly NodeTruth[]): string[] {
  const [first] = nodes;
  if (first === undefined) return ['no node answers'];
  const masters = new Map(
    nodes.filter(({ role }) => role === 'master').map((each) => [each.id, each]),
  );
  const uncovered = first.owners.flatMap((owner, slot) => (masters.has(owner) ? [] : [slot]));
  return [
    ...(uncovered.length > 0 ? [`${uncovered.length} slots without a living owner`] : []),
    ...nodes.flatMap((node) => faultsOf(node, first)),
    ...nodes.filter(({ role }) => role === 'master').flatMap(strangeKeys),
  ];
}

function faultsOf(node: NodeTruth, first: NodeTruth): string[] {
  const others = node.owners.flatMap((owner, slot) => (owner === first.owners[slot] ? [] : [slot]));
  return [
    ...(node.clusterState === 'ok' ? [] : [`${node.address}: cluster_state ${node.clusterState}`]),
    ...(node.isLinked ? [] : [`${node.address}: its link to its master is down`]),
    ...(node.openSlots.length === 0 ? [] : [`${node.address}: open ${list(node.openSlots)}`]),
    ...(others.length === 0
      ? []
      : [`${node.address} names other owners than ${first.address} of slots ${list(others)}`]),
  ];
}

/** Keys in slots that somebody else owns: no client would find them, or two nodes have them. */
function strangeKeys(node: NodeTruth): string[] {
  const strange = node.keys.flatMap((count, slot) =>
    count > 0 && node.owners[slot] !== node.id ? [`${slot} (${count})`] : [],
  );
  return strange.length === 0 ? [] : [`${node.address}: keys in slots of others: ${list(strange)}`];
}

function list(all: readonly (string | number)[]): string {
  const rest = all.length - MAX_LISTED;
  return `${all.slice(0, MAX_LISTED).join(' ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}
