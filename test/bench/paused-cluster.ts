/**
 * A stack with started, empty nodes and an approved plan: the point where the clocks of the create bench start.
 *
 * The operation is paused while its nodes are being started, so that all of them run and none has been claimed or met.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';

import type { Api } from '@redrover/cli';
import type { ClusterSpec, Layout } from '@redrover/core';
import { layoutFromProto, clusterSpecToProto } from '@redrover/wire';

import { uploadRelease } from '../support/built-release.ts';
import type { BuiltRelease } from '../support/built-release.ts';
import { prepareStack } from './bench-stack.ts';
import type { ClusterAccess } from './usable.ts';

export interface PausedCluster {
  readonly api: Api;
  readonly operationId: string;
  readonly layout: Layout;
  readonly access: ClusterAccess;
  /** Where the build's own redis-cli is. */
  readonly redisCli: string;
  readonly agentPids: readonly number[];
  readonly close: () => Promise<void>;
}

export interface PausedClusterOptions {
  readonly release: BuiltRelease;
  readonly masters: number;
  readonly hosts: number;
  readonly basePort: number;
}

// A master answers no write in its first two seconds (CLUSTER_WRITABLE_DELAY): neither side's clock should hold them.
const SETTLE_MS = 3_000;

// Sixty servers on two cores start within a few seconds.
const START_TIMEOUT_MS = 60_000;

/** Errors: whatever the stack says; the caller's `close` is not needed then. */
export async function startPausedCluster(options: PausedClusterOptions): Promise<PausedCluster> {
  const names = Array.from({ length: options.hosts }, (_, index) => `h${index + 1}`);
  const { stack, end: close } = await prepareStack(names.map((_, index) => `127.0.1.${index + 1}`));
  try {
    await stack.start();
    const api = stack.connect();
    await uploadRelease(api, options.release);
    for (const name of names) await installBuild(api, options.release.name, name);
    const paused = await applyAndPause(api, specOf(options));
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const agentPids = names.flatMap((name) => stack.agentProcess(name)?.pid ?? []);
    const redisCli = join(options.release.binDirectory, 'redis-cli');
    return { api, ...paused, redisCli, agentPids, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function specOf(options: PausedClusterOptions): ClusterSpec {
  return {
    name: `bench-${randomBytes(2).toString('hex')}`,
    release: options.release.name,
    shards: options.masters,
    replicas: 1,
    placement: {
      hosts: [],
      basePort: options.basePort,
      zoneLabel: 'zone',
      allowSameHost: false,
      allowWeakQuorum: false,
    },
    nodes: [],
    maxmemoryBytes: undefined,
    nodeTimeoutMs: 5000,
    repair: 'manual',
    repairQuietMs: 300_000,
    config: {},
  };
}

/** On every host beforehand, so that all nodes are started in one turn. */
async function installBuild(api: Api, release: string, host: string): Promise<void> {
  for await (const { event } of api.releases.buildRelease({ release, host })) {
    if (event.case === 'build') return;
  }
}

async function applyAndPause(api: Api, spec: ClusterSpec) {
  const planned = await api.clusters.planCluster({ spec: clusterSpecToProto(spec) });
  if (planned.result.case !== 'plan') throw new Error(`refused: ${JSON.stringify(planned.result)}`);
  const { fingerprint, layout: layoutMessage } = planned.result.value;
  if (layoutMessage === undefined) throw new Error('the plan has no layout');
  const layout = layoutFromProto(layoutMessage);
  const applied = await api.clusters.applyCluster({ spec: clusterSpecToProto(spec), fingerprint });
  const operationId = applied.operation?.id ?? '';
  await pauseWhenStarting(api, operationId, layout.nodes.length);
  await waitUntilStarted(api, operationId, layout.nodes.length);
  const { password } = await api.clusters.getCredentials({ cluster: spec.name });
  const nodes = layout.nodes.map((node) => ({ host: node.address, port: node.port }));
  return { operationId, layout, access: { nodes, password } };
}

/** Pauses when the last node is being started: nothing has been claimed by then. */
async function pauseWhenStarting(api: Api, operation: string, count: number): Promise<void> {
  const starting = new Set<string>();
  for await (const { event } of api.operations.watchOperation({ operation })) {
    const key = event.case === 'attempt' ? event.value.stepKey : '';
    if (key.startsWith('startNode')) starting.add(key);
    if (starting.size === count) break;
    if (event.case === 'operation' && event.value.endedAt !== undefined) {
      throw new Error(`the operation ended before its nodes were started: ${event.value.message}`);
    }
  }
  await api.operations.pauseOperation({ operation });
}

async function waitUntilStarted(api: Api, operation: string, count: number): Promise<void> {
  const deadlineMs = performance.now() + START_TIMEOUT_MS;
  while (performance.now() < deadlineMs) {
    const { attempts } = await api.operations.getOperation({ operation });
    const keys = (prefix: string) =>
      attempts.filter((attempt) => attempt.stepKey.startsWith(prefix) && attempt.endedAt);
    if (attempts.some((attempt) => attempt.stepKey.startsWith('claimSlots'))) {
      throw new Error('paused too late: slots have been claimed already; run the bench again');
    }
    if (keys('startNode').length >= count) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`not all of the ${count} nodes were started within ${START_TIMEOUT_MS} ms`);
}
