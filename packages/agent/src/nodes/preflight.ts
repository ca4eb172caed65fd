/**
 * Starts the real binary on a config, on a scratch port and in a scratch directory, and lets it answer
 * once: a config that the binary rejects never reaches a node.
 */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { RedroverError, type NodePlan } from '@redrover/core';
import { ensureDirectory, writeDurableFile } from '../files/durable-file.ts';
import { NodeConnection } from '../redis/node-connection.ts';
import type { ExitReport, Launcher } from '../supervise/launcher.ts';
import { describeExit, lastWords } from '../supervise/exit-reason.ts';
import { findScratchPort } from './free-port.ts';
import { pathsIn, type NodePaths } from './paths.ts';
import { renderConfig, type ConfigSecrets } from './render-config.ts';
import type { RunAs } from './run-as.ts';

export interface PreflightRequest {
  readonly plan: NodePlan;
  readonly server: string;
  readonly secrets: ConfigSecrets;
  /** Where scratch directories may be made. */
  readonly scratch: string;
  readonly launcher: Launcher;
  readonly user: RunAs | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Never reachable from other hosts, whatever the node itself binds to. */
const SCRATCH_ADDRESS = '127.0.0.1';
/** An empty server answers within 0.1 s; a loaded machine gets a hundred times that. */
const ANSWER_TIMEOUT_MS = 10_000;
const POLL_MS = 20;
const KILL_TIMEOUT_MS = 5_000;
/** Another process may take the port between the look and the start. */
const PORT_TRIES = 10;

/** @throws RedroverError `invalid-argument` with the server's own message when it rejects the config. */
export async function preflightConfig(request: PreflightRequest): Promise<void> {
  const { key } = request.plan.node;
  for (let attempt = 1; ; attempt += 1) {
    const port = await findScratchPort(SCRATCH_ADDRESS, Math.random);
    const words = await tryOnce(request, port);
    if (words === undefined) return;
    if (attempt < PORT_TRIES && isPortClash(words)) continue;
    throw new RedroverError(
      'invalid-argument',
      `${request.plan.release} rejects the config of ${key}: ${words}. Nothing was changed; ` +
        'correct `config` in the spec',
      { context: { serverMessage: words } },
    );
  }
}

/**
 * Whether somebody else had the port, so that the config is not to blame: another trial, which may be
 * gone by now. The server tells in words alone (`listenToPort`, `clusterInit` in its sources).
 */
function isPortClash(words: string): boolean {
  return /address already in use|failed listening on/i.test(words);
}

/** Undefined when the server answered; else its own words. */
async function tryOnce(request: PreflightRequest, port: number): Promise<string | undefined> {
  const { plan, secrets, scratch, user, signal } = request;
  signal?.throwIfAborted();
  await ensureDirectory(scratch, { mode: 0o711 });
  const directory = join(scratch, `${plan.node.port}-${randomUUID()}`);
  const paths = pathsIn(directory);
  const node = { ...plan.node, address: SCRATCH_ADDRESS, port, busPort: port + 10_000 };
  try {
    await ensureDirectory(directory, { mode: 0o700, owner: user });
    const config = renderConfig({ ...plan, node }, paths, secrets);
    await writeDurableFile(paths.config, config, { mode: 0o600, owner: user });
    return await startAndAsk(request, paths, port);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function startAndAsk(
  request: PreflightRequest,
  paths: NodePaths,
  port: number,
): Promise<string | undefined> {
  const { launcher, server, user, secrets, plan } = request;
  const key = `the trial of ${plan.node.key}`;
  const { config, directory, stdio } = paths;
  const child = await launcher.launch({ key, port, server, config, directory, stdio, user });
  let ended: ExitReport | undefined;
  const exited = child.exited.then((report) => (ended = report));
  const endpoint = { key, address: SCRATCH_ADDRESS, port, password: secrets.password };
  const connection = new NodeConnection(endpoint);
  try {
    const deadline = performance.now() + ANSWER_TIMEOUT_MS;
    while (performance.now() < deadline) {
      if (ended !== undefined) return await describeExit(ended, paths);
      request.signal?.throwIfAborted();
      if (await answers(connection)) return undefined;
      await delay(POLL_MS);
    }
    return `no answer within ${ANSWER_TIMEOUT_MS / 1000} s: ${await lastWords(paths)}`;
  } finally {
    connection.close();
    if (ended === undefined) {
      process.kill(child.pid, 'SIGKILL');
      await Promise.race([exited, delay(KILL_TIMEOUT_MS)]);
    }
  }
}

async function answers(connection: NodeConnection): Promise<boolean> {
  try {
    return (await connection.text(['PING'])) === 'PONG';
  } catch {
    // Not listening yet, or going down: the caller looks at the process.
    return false;
  }
}
