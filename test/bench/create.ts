/**
 * From started, empty nodes and an approved plan to a usable cluster, against `redis-cli --cluster create` on nodes that
 * were started in the same way with the same config. Both are timed by the same predicate (usable.ts).
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import type { BuiltRelease } from '../support/built-release.ts';
import { startPausedCluster } from './paused-cluster.ts';
import type { PausedCluster, PausedClusterOptions } from './paused-cluster.ts';
import { figure } from './report.ts';
import type { Report } from './report.ts';
import { connectAll, timeUntilUsable } from './usable.ts';

const run = promisify(execFile);

// redis-cli needs about 5 s for 6 nodes and longer for 60; this is where we call it broken.
const TIMEOUT_MS = 120_000;

const AIM_RATIO = 0.3;

export interface CreateOptions {
  readonly release: BuiltRelease;
  readonly runs: number;
  readonly sizes: readonly number[];
}

export async function benchCreate(options: CreateOptions): Promise<Report> {
  const figures = [];
  const aims = [];
  for (const nodes of options.sizes) {
    const ours: number[] = [];
    const theirs: number[] = [];
    const returned: number[] = [];
    for (let round = 0; round < options.runs; round += 1) {
      const setup = setupOf(options, nodes);
      ours.push(await withCluster(setup, timeOurs));
      const peer = await withCluster(setup, timeRedisCli);
      theirs.push(peer.usableMs);
      returned.push(peer.returnedMs);
    }
    const ratios = ours.map((value, index) => value / (theirs[index] ?? Number.NaN));
    const ratio = figure(`ratio, ${nodes} nodes`, '×', ratios);
    figures.push(
      figure(`redrover, ${nodes} nodes: usable`, 'ms', ours),
      figure(`redis-cli --cluster create, ${nodes} nodes: usable`, 'ms', theirs),
      figure(`redis-cli --cluster create, ${nodes} nodes: returned`, 'ms', returned),
      ratio,
    );
    const text = `${nodes} nodes: at most ${AIM_RATIO} × redis-cli`;
    aims.push({ text, seen: ratio.median, met: ratio.median <= AIM_RATIO });
  }
  const remarks = [
    'Clock: from resume of the approved, paused operation (ours) or start of redis-cli (theirs), nodes',
    'up for 3 s and empty, until every view agrees, links are up and every master took a write.',
  ];
  return { bench: 'create', figures, aims, remarks };
}

function setupOf(options: CreateOptions, nodes: number): PausedClusterOptions {
  const { release } = options;
  const hosts = nodes <= 6 ? 3 : 6;
  return { release, masters: nodes / 2, hosts, basePort: 21_000 };
}

async function withCluster<T>(
  setup: PausedClusterOptions,
  measure: (cluster: PausedCluster) => Promise<T>,
): Promise<T> {
  const cluster = await startPausedCluster(setup);
  try {
    return await measure(cluster);
  } finally {
    await cluster.close();
  }
}

async function timeOurs({ api, operationId, access }: PausedCluster): Promise<number> {
  const clients = await connectAll(access);
  try {
    const startMs = performance.now();
    await api.operations.resumeOperation({ operation: operationId });
    return await timeUntilUsable(clients, startMs, TIMEOUT_MS);
  } finally {
    for (const client of clients) client.disconnect();
  }
}

async function timeRedisCli(cluster: PausedCluster) {
  const { access, layout, redisCli } = cluster;
  const clients = await connectAll(access);
  const masters = layout.nodes.filter((node) => node.preferredRole === 'master');
  const replicas = layout.nodes.filter((node) => node.preferredRole === 'replica');
  const addresses = [...masters, ...replicas].map((node) => `${node.address}:${node.port}`);
  const args = ['--cluster', 'create', ...addresses, '--cluster-replicas', '1', '--cluster-yes'];
  const env = { ...process.env, REDISCLI_AUTH: access.password };
  try {
    const startMs = performance.now();
    const created = run(redisCli, args, { env, timeout: TIMEOUT_MS, maxBuffer: 2 ** 24 });
    const returned = created.then(() => performance.now() - startMs);
    const usableMs = await timeUntilUsable(clients, startMs, TIMEOUT_MS);
    return { usableMs, returnedMs: await returned };
  } finally {
    for (const client of clients) client.disconnect();
  }
}
