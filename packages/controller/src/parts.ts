/** Makes the controller's parts from its data directory, and starts and stops them in order. */
import type { Logger } from 'pino';

import { Agents } from './agents/agents.ts';
import { BuildExchange } from './agents/build-exchange.ts';
import { Hosts } from './agents/hosts.ts';
import { Observations } from './agents/observations.ts';
import { AutoRepair } from './clusters/auto-repair.ts';
import { Clusters } from './clusters/clusters.ts';
import { Examinations } from './clusters/examinations.ts';
import { RepairBoard } from './clusters/repair-board.ts';
import { Metrics } from './http/metrics.ts';
import type { DataDirectory, Tokens } from './lifecycle/data-directory.ts';
import { Operations } from './operations/operations.ts';
import { Releases } from './releases/releases.ts';
import { Blobs } from './store/blobs.ts';
import { openStore, type Store } from './store/store.ts';

export interface ControllerParts {
  readonly log: Logger;
  readonly tokens: Tokens;
  readonly store: Store;
  readonly hosts: Hosts;
  readonly observations: Observations;
  readonly agents: Agents;
  readonly exchange: BuildExchange;
  readonly releases: Releases;
  readonly operations: Operations;
  readonly clusters: Clusters;
  readonly examinations: Examinations;
  readonly metrics: Metrics;
  /** Begins what goes on by itself: sweeps, and operations that were under way. */
  start(): Promise<void>;
  /** Ends that, and the agents' sessions; what is under way on the hosts goes on. */
  stop(): Promise<void>;
  /** The last thing: nothing can be asked of it any more. */
  close(): Promise<void>;
}

export async function assembleParts(
  directory: DataDirectory,
  log: Logger,
): Promise<ControllerParts> {
  const tokens = await directory.readTokens();
  const blobs = await Blobs.open(directory.blobDirectory);
  const store = openStore(directory.databaseFile);
  try {
    return await assembleWith(store, { blobs, tokens, log });
  } catch (error) {
    await store.close();
    throw error;
  }
}

interface Opened {
  readonly blobs: Blobs;
  readonly tokens: Tokens;
  readonly log: Logger;
}

async function assembleWith(store: Store, opened: Opened): Promise<ControllerParts> {
  const { blobs, tokens, log } = opened;
  const identity = await store.meta.readIdentity();
  const { incarnation } = identity;
  const hosts = new Hosts();
  const observations = new Observations();
  hosts.remember(await store.hosts.list());
  const exchange = new BuildExchange(blobs, store.builds);
  await exchange.load();
  const { meta, hosts: hostRecords, clusters: clusterRecords } = store;
  const agents = new Agents({ identity, hosts, observations, hostRecords, meta, log });
  const seen = { hosts, observations, exchange };
  const releases = new Releases({
    records: store.releases,
    clusters: clusterRecords,
    blobs,
    exchange,
    agents,
    hosts,
    incarnation,
  });
  await blobs.keepOnly(new Set([...exchange.listBlobs(), ...(await releases.listBlobs())]));
  const operations = new Operations({
    ...seen,
    agents,
    records: store.operations,
    clusters: clusterRecords,
    incarnation,
    log,
  });
  const context = { ...seen, agents, operations, releases, store };
  const clusters = new Clusters(context);
  const repairs = new RepairBoard();
  const examinations = new Examinations(context, repairs);
  const autoRepair = new AutoRepair({ context, clusters, board: repairs, log });
  const read = { hosts, observations, agents, operations, examinations };
  const metrics = new Metrics({ ...read, clusters: clusterRecords });
  return {
    log,
    tokens,
    store,
    hosts,
    observations,
    agents,
    exchange,
    releases,
    operations,
    clusters,
    examinations,
    metrics,
    async start() {
      hosts.startSweeping();
      await operations.resumeAll();
      autoRepair.start();
    },
    async stop() {
      hosts.stopSweeping();
      await autoRepair.stop();
      await operations.stop();
      await agents.stop();
    },
    async close() {
      await store.close();
    },
  };
}
