/**
 * When a new cluster is usable, decided without any of Redrover's own code: an ioredis connection to each node, polled.
 *
 * Usable means: every node's own view knows every node and no other, all views agree on who owns which slot, 16384 slots
 * are covered, every replica's link is up, every node says `cluster_state:ok`, and each master acknowledges a write.
 */
import { Redis } from 'ioredis';

export interface NodeAddress {
  readonly host: string;
  readonly port: number;
}

export interface ClusterAccess {
  readonly nodes: readonly NodeAddress[];
  readonly password: string;
}

// Finer than what is measured (hundreds of milliseconds), coarse enough not to load 60 nodes.
const POLL_INTERVAL_MS = 20;

/** Opens one connection per node; the caller disconnects them. */
export async function connectAll(access: ClusterAccess): Promise<Redis[]> {
  const clients = access.nodes.map(
    ({ host, port }) =>
      new Redis({ host, port, password: access.password, lazyConnect: true, retryStrategy: null }),
  );
  await Promise.all(clients.map((client) => client.connect()));
  return clients;
}

/**
 * Milliseconds from `startMs` (of `performance.now()`) until the cluster is usable.
 *
 * @throws Error when `timeoutMs` have passed, with what was still missing.
 */
export async function timeUntilUsable(
  clients: readonly Redis[],
  startMs: number,
  timeoutMs: number,
): Promise<number> {
  let missing = 'nothing was looked at';
  while (performance.now() - startMs < timeoutMs) {
    missing = await whatIsMissing(clients);
    if (missing === '') return performance.now() - startMs;
    await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
  }
  throw new Error(`not usable after ${timeoutMs} ms: ${missing}`);
}

async function whatIsMissing(clients: readonly Redis[]): Promise<string> {
  const views = await Promise.all(clients.map(readView));
  const owners = new Set(views.map((view) => view.owners));
  if (views.some((view) => view.known !== clients.length)) return 'a node does not know all others';
  if (owners.size !== 1) return 'views disagree on the slots';
  if (views.some((view) => view.covered !== 16_384)) return 'slots are not covered';
  const states = await Promise.all(clients.map(readState));
  if (states.some((state) => !state.ok)) return 'a node says cluster_state:fail';
  if (states.some((state) => !state.linked)) return 'a replica is not in sync';
  const masters = clients.filter((_, index) => views[index]?.ownSlot !== undefined);
  const written = await Promise.all(masters.map((master) => write(master, views, clients)));
  return written.every(Boolean) ? '' : 'a master refuses a write';
}

interface View {
  readonly known: number;
  readonly covered: number;
  /** Canonical text of who owns what and who replicates whom. */
  readonly owners: string;
  readonly ownSlot: number | undefined;
}

async function readView(client: Redis): Promise<View> {
  const lines = String(await client.call('CLUSTER', 'NODES'))
    .trim()
    .split('\n');
  let covered = 0;
  let ownSlot: number | undefined;
  const owners = lines.map((line) => {
    const [id = '', , flags = '', master = '', , , , , ...ranges] = line.split(' ');
    const slots = ranges.filter((range) => !range.startsWith('['));
    for (const range of slots) {
      const [start = '0', end = start] = range.split('-');
      covered += Number(end) - Number(start) + 1;
      if (flags.includes('myself')) ownSlot ??= Number(start);
    }
    return `${id} ${flags.replace('myself,', '')} ${master} ${slots.join(' ')}`;
  });
  return { known: lines.length, covered, owners: owners.sort().join('\n'), ownSlot };
}

async function readState(client: Redis): Promise<{ ok: boolean; linked: boolean }> {
  const [info, replication] = await Promise.all([
    client.call('CLUSTER', 'INFO').then(String),
    client.info('replication'),
  ]);
  const replica = replication.includes('role:slave');
  return {
    ok: info.includes('cluster_state:ok'),
    linked: !replica || replication.includes('master_link_status:up'),
  };
}

/** Sets a key of one of the master's own slots, found by asking the server for the slot of candidates. */
async function write(master: Redis, views: readonly View[], clients: readonly Redis[]) {
  const view = views[clients.indexOf(master)];
  for (let candidate = 0; candidate < 4096; candidate += 1) {
    const key = `usable-${candidate}`;
    const reply = await master.set(key, '1', 'EX', 60).catch((error: Error) => error.message);
    if (reply === 'OK') return true;
    if (!reply.startsWith('MOVED') || view === undefined) return false;
  }
  return false;
}
