/**
 * Whether the votes for a replica would reach it. A vote goes over the voter's own link to the
 * replica, and where there is none it counts as given and is dropped (cluster.c,
 * `clusterSendFailoverAuth`). A server that has just started is in sync before everybody has a link
 * to it again; the master would then hold its clients for 5 s in vain.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { readInfo, RedroverError } from '@redrover/core';
import type { AgentNode } from '../supervise/agent-node.ts';
import { readOwnView } from './own-view.ts';

/** A link is tried again ten times a second, and one that hangs is given up after half a timeout. */
const RELINK_MARGIN_MS = 2_000;
/** Of the time of a step, the rest of which is for the handoff itself. */
const MAX_WAIT_MS = 10_000;
const POLL_MS = 50;

/**
 * Resolves when all living masters have links to the node, or when that has taken long enough and
 * more than half of all have.
 *
 * @throws RedroverError `unavailable` when a majority could not be heard.
 */
export async function waitForVoters(node: AgentNode, signal: AbortSignal): Promise<void> {
  const { nodeTimeoutMs } = node.record.plan;
  const deadline = performance.now() + Math.min(nodeTimeoutMs / 2 + RELINK_MARGIN_MS, MAX_WAIT_MS);
  for (;;) {
    const { all, living, linked } = await countVoters(node);
    if (linked >= living) return;
    signal.throwIfAborted();
    if (performance.now() >= deadline) {
      if (linked * 2 > all) return;
      throw new RedroverError(
        'unavailable',
        `${linked} of ${all} masters have links to ${node.record.key}: no majority could elect it`,
      );
    }
    await delay(POLL_MS);
  }
}

interface Voters {
  /** Masters with slots. */
  readonly all: number;
  readonly living: number;
  /** Of the living. */
  readonly linked: number;
}

async function countVoters(node: AgentNode): Promise<Voters> {
  const { connection, record } = node;
  const { view } = await readOwnView(connection, record.key);
  const voters = view.nodes.filter(({ masterId, slots }) => masterId === '' && slots.length > 0);
  const living = voters.filter(
    ({ flags, connected }) => connected && !flags.some((flag) => flag.startsWith('fail')),
  );
  const linkedIds = await readInboundIds(node);
  const linked = living.filter(({ nodeId }) => linkedIds?.has(nodeId) ?? true).length;
  if (linkedIds !== undefined) return { all: voters.length, living: living.length, linked };
  // Before 7.0 nobody can be asked: the time that links take has to pass.
  const { uptimeSeconds } = readInfo(await connection.text(['INFO', 'server']));
  const relinkMs = record.plan.nodeTimeoutMs / 2 + RELINK_MARGIN_MS;
  const isSettled = uptimeSeconds * 1_000 >= Math.min(relinkMs, MAX_WAIT_MS);
  return { all: voters.length, living: living.length, linked: isSettled ? linked : 0 };
}

/** The nodes that have links to this one; undefined where Redis does not say (before 7.0). */
async function readInboundIds({ connection }: AgentNode): Promise<Set<string> | undefined> {
  const [links] = await connection.pipeline([['CLUSTER', 'LINKS']]);
  if (links instanceof RedroverError) {
    if (links.context['reply'] === 'ERR') return undefined;
    throw links;
  }
  if (!Array.isArray(links)) return undefined;
  const entries = links.map((link) => readPairs(link));
  const inbound = entries.filter((entry) => entry.get('direction') === 'from');
  return new Set(inbound.map((entry) => entry.get('node') ?? ''));
}

/** A map as RESP 2 has it: names and values in turn. */
function readPairs(reply: unknown): Map<string, string> {
  const words = Array.isArray(reply) ? reply.map(String) : [];
  const pairs = new Map<string, string>();
  for (let index = 0; index + 1 < words.length; index += 2) {
    pairs.set(words[index] ?? '', words[index + 1] ?? '');
  }
  return pairs;
}
