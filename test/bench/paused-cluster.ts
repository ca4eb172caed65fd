/**
 * A stack with started, empty nodes and an approved plan: the point where the clocks of the create bench start.
 *
 * The operation is paused while its nodes are being started, so that all of them run and none has been claimed or met.
 */
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { LocalStack, findPrograms } from '@redrover/cli';
import type { ClusterSpec, Layout } from '@redrover/core';
import { layoutFromProto, clusterSpecToProto } from '@redrover/wire';

import type { ClusterAccess } from './usable.ts';

type Api = ReturnType<LocalStack['connect']>;

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
  readonly distDirectory: string;
  readonly release: string;
  readonly masters: number;
  readonly hosts: number;
  readonly basePort: number;
}

// A master answers no write in its first two seconds (CLUSTER_WRITABLE_DELAY): neither side's clock should hold them.
const SETTLE_MS = 3_000;

/** Errors: whatever the stack says; the caller's `close` is not needed then. */
export async function startPausedCluster(options: PausedClusterOptions): Promise<PausedCluster> {
  const directory = await mkdtemp(join(tmpdir(), 'redrover-bench-'));
  await chmod(directory, 0o755);
  const hosts = Array.from({ length: options.hosts }, (_, index) => ({
    name: `h${index + 1}`,
    address: `127.0.1.${index + 1}`,
  }));
  const stack = new LocalStack({ directory, programs: findPrograms(options.distDirectory), hosts });
  const close = async () => {
    await stack.stop();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await stack.start();
    const api = stack.connect();
    const paused = await applyAndPause(api, specOf(options));
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const agentPids = hosts.flatMap(({ name }) => stack.agentProcess(name)?.pid ?? []);
    const redisCli = await findRedisCli(stack, options);
    return { api, ...paused, redisCli, agentPids, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function specOf(options: PausedClusterOptions): ClusterSpec {
  return {
    name: `bench-${randomBytes(2).toString('hex')}`,
    release: options.release,
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
    config: {},
  };
}

async function applyAndPause(api: Api, spec: ClusterSpec) {
  const planned = await api.clusters.planCluster({ spec: clusterSpecToProto(spec) });
  if (planned.result.case !== 'plan') throw new Error(`refused: ${JSON.stringify(planned.result)}`);
  const { fingerprint, layout: layoutMessage } = planned.result.value;
  if (layoutMessage === undefined) throw new Error('the plan has no layout');
  const layout = layoutFromProto(layoutMessage);
  const applied = await api.clusters.applyCluster({ spec: clusterSpecToProto(spec), fingerprint });
  const operationId = applied.operation?.id ?? '';
  await pauseWhenStarting(api, operationId);
  await waitUntilStarted(api, operationId, layout.nodes.length);
  const { password } = await api.clusters.getCredentials({ cluster: spec.name });
  const nodes = layout.nodes.map((node) => ({ host: node.address, port: node.port }));
  return { operationId, layout, access: { nodes, password } };
}

async function pauseWhenStarting(api: Api, operation: string): Promise<void> {
  for await (const { event } of api.operations.watchOperation({ operation })) {
    if (event.case === 'attempt' && event.value.stepKey.startsWith('startNode')) break;
  }
  await api.operations.pauseOperation({ operation });
}

async function waitUntilStarted(api: Api, operation: string, count: number): Promise<void> {
  for (;;) {
    const { attempts } = await api.operations.getOperation({ operation });
    const keys = (prefix: string) =>
      attempts.filter((attempt) => attempt.stepKey.startsWith(prefix) && attempt.endedAt);
    if (attempts.some((attempt) => attempt.stepKey.startsWith('claimSlots'))) {
      throw new Error('paused too late: slots have been claimed already; run the bench again');
    }
    if (keys('startNode').length >= count) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function findRedisCli(stack: LocalStack, { release }: PausedClusterOptions): Promise<string> {
  const releases = join(stack.paths.hostRoot('h1'), 'releases');
  const found = (await readdir(releases)).find((name) => name.startsWith(release));
  if (found === undefined) throw new Error(`no build of ${release} under ${releases}`);
  return join(releases, found, 'bin', 'redis-cli');
}
