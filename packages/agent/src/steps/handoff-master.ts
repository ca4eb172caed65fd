/**
 * `handoffMaster`: CLUSTER FAILOVER on a replica that is in sync, and no more than that.
 *
 * The master holds its clients until the replica has everything it acknowledged, so nothing is lost
 * (Redis command page CLUSTER FAILOVER, "Manual failover"). FORCE and TAKEOVER give that up, so
 * they are never sent. A handoff that Redis does not complete leaves the roles as they were.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { readInfo, RedroverError, type HandoffMasterStep } from '@redrover/core';
import type { AgentNode } from '../supervise/agent-node.ts';
import { readOwnView } from './own-view.ts';
import { requireHeir } from './handoff-rules.ts';
import { waitForVoters } from './handoff-voters.ts';
import type { HostContext, StepEffect, StepRun } from './step-context.ts';

/** Of the time of a step, the rest of which is for the handoff itself. */
const MAX_ELECTION_WAIT_MS = 10_000;
/** Redis gives up by itself after 5 s (cluster.c, CLUSTER_MF_TIMEOUT); a second for the election. */
const TAKEOVER_LIMIT_MS = 6_000;
/** Each node hears of each other within half a node timeout, and of most within a second. */
const FOLLOW_LIMIT_MS = 10_000;
/** Clients of the master are held meanwhile: it is worth being seen at once. */
const TAKEOVER_POLL_MS = 10;
const POLL_MS = 100;

export async function handoffMaster(
  { nodes }: HostContext,
  step: HandoffMasterStep,
  { signal, onLine }: StepRun,
): Promise<StepEffect> {
  const { node: key, master, masterNodeId } = step;
  const node = nodes.get(key);
  // So that its elections are known also right after a start of the agent.
  await node.observe({ fresh: false });
  if ((await requireHeir(node, step)) === 'is master') {
    return { touched: [key], message: 'is master already' };
  }
  await waitForElection(node, step, { signal, onLine });
  await waitForVoters(node, signal);
  // Once more, right before: a while may have passed.
  if ((await requireHeir(node, step)) === 'is master') {
    return { touched: [key], message: `took over from ${master} by itself meanwhile` };
  }
  const startTick = performance.now();
  // From here on nothing can be taken back: Redis completes the handoff or gives it up by itself.
  signal.throwIfAborted();
  node.elections.noteOwn();
  await node.connection.call(['CLUSTER', 'FAILOVER']);
  await waitForTakeover(node, step, signal);
  const tookMs = Math.round(performance.now() - startTick);
  await waitForFollower(node, { key, master, masterNodeId }, signal);
  return { touched: [key], message: `took over from ${master} in ${tookMs} ms` };
}

/** A replica that stood for election lately is not elected again at once (`election-memory.ts`). */
async function waitForElection(
  node: AgentNode,
  { node: key, masterNodeId }: HandoffMasterStep,
  { signal, onLine }: Pick<StepRun, 'signal' | 'onLine'>,
): Promise<void> {
  const { nodeTimeoutMs } = node.record.plan;
  const leftMs = (): number => node.elections.waitMs(masterNodeId, nodeTimeoutMs);
  if (leftMs() === 0) return;
  const why = 'a replica is not elected again within 4 times the node timeout';
  onLine(`${key} waits ${Math.ceil(leftMs() / 1000)} s for its election: ${why}`);
  const deadline = performance.now() + MAX_ELECTION_WAIT_MS;
  while (leftMs() > 0 && performance.now() < deadline) {
    signal.throwIfAborted();
    if (!node.supervisor.isUp) throw new RedroverError('unavailable', `${key} ended meanwhile`);
    await delay(Math.min(leftMs(), POLL_MS));
  }
  if (leftMs() === 0) return;
  throw new RedroverError(
    'unavailable',
    `${key} cannot be elected for another ${Math.ceil(leftMs() / 1000)} s: ${why}`,
  );
}

async function waitForTakeover(
  { connection }: AgentNode,
  { node: key, master }: HandoffMasterStep,
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + TAKEOVER_LIMIT_MS;
  for (;;) {
    const { role } = readInfo(await connection.text(['INFO', 'replication']));
    if (role === 'master') return;
    signal.throwIfAborted();
    if (performance.now() > deadline) {
      throw new RedroverError(
        'deadline-exceeded',
        `${key} did not become master within ${TAKEOVER_LIMIT_MS / 1000} s, and Redis has given the ` +
          `handoff up by itself: ${master} is master as before. The redis.log of both says more`,
      );
    }
    await delay(TAKEOVER_POLL_MS);
  }
}

/** By what the new master has heard from the old one itself. */
async function waitForFollower(
  { connection }: AgentNode,
  {
    key,
    master,
    masterNodeId,
  }: { readonly key: string; readonly master: string; readonly masterNodeId: string },
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + FOLLOW_LIMIT_MS;
  for (;;) {
    const { myself, view } = await readOwnView(connection, key);
    if (myself.masterId !== '' || myself.slots.length === 0) {
      throw new RedroverError(
        'unavailable',
        `${key} took over from ${master} and was overruled at once, by a node with a higher config ` +
          'epoch; look at the roles before the next handoff',
      );
    }
    const old = view.nodes.find((node) => node.nodeId === masterNodeId);
    if (old?.masterId === myself.nodeId) return;
    signal.throwIfAborted();
    if (performance.now() > deadline) {
      throw new RedroverError(
        'unavailable',
        `${key} is master now, but ${master} was not seen to follow it within ` +
          `${FOLLOW_LIMIT_MS / 1000} s; look whether ${master} is alive and reachable`,
      );
    }
    await delay(POLL_MS);
  }
}
