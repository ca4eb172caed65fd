/** Makes the controller's parts from its data directory, and starts and stops them in order. */
import type { Logger } from 'pino';

import { Agents } from './agents/agents.ts';
import { BuildExchange } from './agents/build-exchange.ts';
import { Hosts } from './agents/hosts.ts';
import { Observations } from './agents/observations.ts';
import type { Parts } from './app-module.ts';
import type { DataDirectory } from './lifecycle/data-directory.ts';
import { Blobs } from './store/blobs.ts';
import { openStore } from './store/store.ts';

export interface ControllerParts extends Parts {
  /** Begins what goes on by itself: sweeps, and operations that were under way. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export async function assembleParts(
  directory: DataDirectory,
  log: Logger,
): Promise<ControllerParts> {
  const tokens = await directory.readTokens();
  const blobs = await Blobs.open(directory.blobDirectory);
  const store = openStore(directory.databaseFile);
  const identity = await store.meta.readIdentity();
  const hosts = new Hosts();
  const observations = new Observations();
  hosts.remember(await store.hosts.list());
  const exchange = new BuildExchange(blobs, store.builds);
  await exchange.load();
  const agents = new Agents({
    identity,
    hosts,
    observations,
    hostRecords: store.hosts,
    meta: store.meta,
    log,
  });
  return {
    log,
    tokens,
    store,
    hosts,
    observations,
    agents,
    exchange,
    async start() {
      hosts.startSweeping();
    },
    async stop() {
      hosts.stopSweeping();
      await agents.stop();
      await store.close();
    },
  };
}
