/**
 * Puts a node's directory in order: marker first, then the config, tried before with the real binary.
 * Idempotent. Starting the node is the supervisor's business.
 */
import { networkInterfaces } from 'node:os';
import { planHashOf, RedroverError, type NodePlan } from '@redrover/core';
import { ensureDirectory, writeDurableFile } from '../files/durable-file.ts';
import type { Launcher } from '../supervise/launcher.ts';
import { inspectDirectory, refuseForeignDirectory } from './directory.ts';
import { requireFreePort } from './free-port.ts';
import { writeMarker, type MarkerFile, type NodeBuild } from './marker.ts';
import { readNodeFile } from './node-file.ts';
import type { NodeRecord } from './node-record.ts';
import { nodePaths, type AgentPaths, type NodePaths } from './paths.ts';
import { preflightConfig } from './preflight.ts';
import { isLoopback, renderConfig } from './render-config.ts';
import type { RunAs } from './run-as.ts';

export interface PrepareRequest {
  readonly host: string;
  readonly plan: NodePlan;
  readonly password: string;
  readonly build: NodeBuild;
  readonly paths: AgentPaths;
  readonly launcher: Launcher;
  readonly user: RunAs | undefined;
  /** The node's record so far; undefined for a new one. */
  readonly record: NodeRecord | undefined;
  /** Its process is there: then its ports are its own. */
  readonly running: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** The record to keep, and whether anything in the directory was changed. */
export interface Prepared {
  readonly record: NodeRecord;
  readonly changed: boolean;
  /** The directory of a known node was not there any more: what was known of it is of another one. */
  readonly isAnew: boolean;
}

export async function prepareNode(request: PrepareRequest): Promise<Prepared> {
  const { plan, build, password, user } = request;
  const { node } = plan;
  requireOwnNode(request);
  const paths = nodePaths(request.paths.root, node.port);
  const contents = await inspectDirectory(paths);
  refuseForeignDirectory(plan, paths, contents);
  const config = renderConfig(plan, paths, { password });
  const marker = markerOf(plan, build);
  const unchanged =
    JSON.stringify(contents.marker) === JSON.stringify(marker) &&
    (await readNodeFile(paths.config)) === config;
  if (!unchanged) {
    await requireFreePorts(request);
    const { launcher, signal, paths: all } = request;
    const secrets = { password };
    const scratch = all.preflight;
    await preflightConfig({ plan, server: build.server, secrets, scratch, launcher, user, signal });
    await writeNodeFiles(paths, marker, config, user);
  }
  const isAnew = !request.running && contents.marker === undefined;
  const record = recordOf(request, marker);
  return { record: isAnew ? anew(record) : record, changed: !unchanged, isAnew };
}

async function writeNodeFiles(
  paths: NodePaths,
  marker: MarkerFile,
  config: string,
  user: RunAs | undefined,
): Promise<void> {
  await ensureDirectory(paths.directory, { mode: 0o750, owner: user });
  await writeMarker(paths, marker, user);
  await writeDurableFile(paths.config, config, { mode: 0o600, owner: user });
}

function markerOf(plan: NodePlan, build: NodeBuild): MarkerFile {
  const { cluster, clusterId, layoutNumber } = plan;
  const planHash = planHashOf(plan);
  return { format: 1, cluster, clusterId, layoutNumber, planHash, build, plan };
}

function recordOf(request: PrepareRequest, marker: MarkerFile): NodeRecord {
  const { record: before, password, plan } = request;
  const { cluster, clusterId, layoutNumber, planHash, build } = marker;
  // What was seen of a node that another cluster had at this port says nothing of this one.
  const same = before?.clusterId === clusterId ? before : undefined;
  return {
    format: 1,
    key: plan.node.key,
    port: plan.node.port,
    cluster,
    clusterId,
    layoutNumber,
    planHash,
    plan,
    build,
    password,
    desired: same?.desired ?? 'prepared',
    process: same?.process,
    lastSeen: same?.lastSeen,
    former: same?.former,
    cleanStop: same?.cleanStop ?? false,
  };
}

/** It starts when it is told to, and remembers whose place it takes. */
function anew(record: NodeRecord): NodeRecord {
  const { lastSeen, former } = record;
  return {
    ...record,
    desired: 'prepared',
    process: undefined,
    cleanStop: false,
    lastSeen: undefined,
    former: lastSeen ?? former,
  };
}

function requireOwnNode({ plan, host }: PrepareRequest): void {
  const { key, address, port } = plan.node;
  if (plan.node.host !== host || key !== `${host}:${port}`) {
    throw new RedroverError('invalid-argument', `${key} is not a node of this host ${host}`);
  }
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new RedroverError('invalid-argument', `${key}: ${port} is not a port`);
  }
  const own = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  if (isLoopback(address) || own.some((entry) => entry.address === address)) return;
  throw new RedroverError(
    'failed-precondition',
    `${key} shall bind to ${address}, which is none of the addresses of ${host} ` +
      `(${own.map((entry) => entry.address).join(', ')}); correct --address of its agent`,
  );
}

/** On the node's own address, and on the loopback one that it binds to as well. */
async function requireFreePorts({ plan, running, record }: PrepareRequest): Promise<void> {
  const { key, address, port, busPort } = plan.node;
  const own = running && record?.plan.node.address === address ? [] : [address];
  const loopback = running || isLoopback(address) ? [] : ['127.0.0.1'];
  for (const each of [...own, ...loopback]) {
    await requireFreePort(each, port, `the port of ${key}`);
    await requireFreePort(each, busPort, `the bus port of ${key}`);
  }
}
