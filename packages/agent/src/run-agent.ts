/** Puts the agent together from its parts, and takes it apart again. Decides nothing by itself. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { RedroverError, type NodeKey } from '@redrover/core';
import { hostFactsToProto, installedBuildToProto } from '@redrover/wire';
import type { Logger } from 'pino';
import { withAgentLock } from './agent-lock.ts';
import { createBuilder, type Builder } from './build/builder.ts';
import { FenceStore } from './fence/fence-store.ts';
import { ensureDirectory, fileError } from './files/durable-file.ts';
import { readHostFacts } from './host/facts.ts';
import { applyTuning, checkTuning } from './host/tuning/apply.ts';
import { createMoveDesk } from './migrate/create-desk.ts';
import { Reopener } from './migrate/reopen/reopener.ts';
import { NodeRecords } from './nodes/node-record.ts';
import { agentPaths, type AgentPaths } from './nodes/paths.ts';
import { endLeftTrials } from './nodes/left-trials.ts';
import { resolveRedisUser, type RunAs } from './nodes/run-as.ts';
import { AgentSession } from './session/agent-session.ts';
import { downloadBlob, openClient, uploadBuild, type OpenClient } from './session/blob-transfer.ts';
import { HeartbeatReader } from './session/heartbeat.ts';
import { StepExecutor } from './steps/execute-step.ts';
import type { HostContext } from './steps/step-context.ts';
import { DetachedLauncher } from './supervise/detached-launcher.ts';
import type { Launcher } from './supervise/launcher.ts';
import { NodeRegistry } from './supervise/node-registry.ts';
import { RoleWatch } from './supervise/role-watch.ts';

export interface AgentOptions {
  readonly host: string;
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `host:port` of the controller's agent listener. */
  readonly controller: string;
  /** Read anew for each connection, so that a new token needs no restart. */
  readonly tokenFile: string;
  readonly root: string;
  readonly cache: string;
  readonly redisUser: string;
  readonly buildUser: string;
  readonly version: string;
  readonly log: Logger;
}

/** Runs until the signal is aborted; then the agent is gone and its nodes run on. */
export async function runAgent(options: AgentOptions, signal: AbortSignal): Promise<void> {
  const paths = agentPaths(options.root);
  await ensureDirectory(paths.root);
  await withAgentLock(paths, () => runLocked(options, paths, signal));
}

async function runLocked(
  options: AgentOptions,
  paths: AgentPaths,
  signal: AbortSignal,
): Promise<void> {
  const { log, host } = options;
  const user = await resolveRedisUser(options.redisUser);
  const launcher = new DetachedLauncher();
  const nodes = createRegistry({ host, paths, launcher, user, log });
  // First of all, and without the controller: what should run at boot.
  await nodes.resume();
  nodes.watch();
  try {
    await endLeftTrials(paths.preflight);
    await obeyController(options, { paths, nodes, launcher, user }, signal);
  } catch (thrown) {
    if (signal.aborted || nodes.list().length === 0) throw thrown;
    // What keeps it from obeying (a broken file, a cache that is gone) is no reason to leave nodes alone.
    log.fatal(
      { err: thrown },
      'no controller can be obeyed; the nodes are supervised all the same',
    );
    await once(signal, 'abort');
    throw thrown;
  } finally {
    nodes.close();
  }
}

type Supervision = Pick<HostContext, 'paths' | 'nodes' | 'launcher' | 'user'>;

async function obeyController(
  options: AgentOptions,
  supervision: Supervision,
  signal: AbortSignal,
): Promise<void> {
  const { log, host, controller, address } = options;
  const { paths, nodes } = supervision;
  const fences = await FenceStore.open(paths.state);
  const open = openClient(controller, () => readToken(options.tokenFile));
  const facts = () => readHostFacts({ rootDirectory: paths.root, agentVersion: options.version });
  const { platform } = await facts();
  const builder = await openBuilder(options, platform, open);
  const now = Date.now;
  const shareBuild: HostContext['shareBuild'] = async (build, stop) =>
    uploadBuild(open, await builder.pack(build.id), stop);
  // Known last, as it needs all the others.
  const known: { session?: AgentSession } = {};
  const isConnected = () => known.session?.isConnected ?? false;
  const moves = createMoveDesk({ paths, nodes, isConnected, now, log });
  // Movers outlive the agent as its nodes do: first of all, they are known again.
  await moves.resume();
  const context = { ...supervision, host, builder, fences, moves, now, shareBuild };
  const tuning = { check: () => checkTuning(), apply: () => applyTuning() };
  const commands = { context, steps: new StepExecutor(context), tuning };
  const readings = { nodes, builder, moves, rootDirectory: paths.root, address, now };
  const heartbeat = new HeartbeatReader(readings);
  const agentRunId = randomUUID();
  const hello = async () => ({
    host,
    address,
    labels: { ...options.labels },
    facts: hostFactsToProto(await facts()),
    incarnation: BigInt(fences.incarnation),
    builds: (await builder.installed()).map(installedBuildToProto),
    agentRunId,
  });
  const parts = { controller, open, hello, heartbeat, commands, fences, now, log };
  const session = new AgentSession(parts);
  known.session = session;
  const isMoving = (key: NodeKey) =>
    moves.list().some(({ source, target }) => source === key || target === key);
  const reopener = new Reopener({ isMoving, log });
  const roles = new RoleWatch(nodes, (promotion) => {
    session.beatNow();
    void reopener.reopen(promotion);
  });
  roles.start();
  try {
    await session.run(signal);
  } finally {
    roles.stop();
    reopener.stop();
    moves.detach();
  }
}

/** The registry of a root, as the agent and `stop-nodes` share it. */
export function createRegistry(options: {
  readonly host: string;
  readonly paths: AgentPaths;
  readonly launcher: Launcher;
  readonly user: RunAs | undefined;
  readonly log: Logger;
}): NodeRegistry {
  const { host, paths, launcher, user, log } = options;
  const records = new NodeRecords(paths.records);
  const recordsDirectory = paths.records;
  const now = Date.now;
  return new NodeRegistry(host, paths, { records, recordsDirectory, launcher, user, now, log });
}

function openBuilder(options: AgentOptions, platform: string, open: OpenClient): Promise<Builder> {
  return createBuilder({
    rootDirectory: options.root,
    cacheDirectory: options.cache,
    hostName: options.host,
    platform,
    buildUser: process.getuid?.() === 0 ? options.buildUser : undefined,
    fetchSource: (sha256, stop) =>
      downloadBlob(open, { case: 'sourceSha256', value: sha256 }, stop),
    fetchBuild: (id, stop) => downloadBlob(open, { case: 'buildId', value: id }, stop),
    log: (message) => options.log.info(message),
  });
}

async function readToken(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (thrown) {
    const error = fileError(thrown, `reading the token file ${path}`);
    throw new RedroverError(
      'unauthenticated',
      `${error.message}; copy agent-token of the controller`,
      {
        cause: thrown,
      },
    );
  }
}
