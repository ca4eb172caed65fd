/** What has to be true, by the replica's own word, before it is asked to take over. Changes nothing. */
import {
  readInfo,
  RedroverError,
  type ClusterView,
  type HandoffMasterStep,
  type ViewNode,
} from '@redrover/core';
import type { AgentNode } from '../supervise/agent-node.ts';
import { readOwnView } from './own-view.ts';
import { readMasterOffset } from './replication-lag.ts';

/**
 * A master sends something at least each 10 s (`repl-ping-replica-period`); after this silence the
 * link is up in name only.
 */
const MAX_SILENCE_SECONDS = 20;

/**
 * The master holds its clients until the replica has caught up, and lets them go after 5 s whether it
 * has or not. A replica takes in far more than 16 MiB a second.
 */
const MAX_LAG_BYTES = 16 * 1024 * 1024;

/**
 * Whether the node is the master's heir, or has taken over already.
 *
 * @throws RedroverError `failed-precondition` when the plan is not about this state; `unavailable` when
 * it may be possible soon.
 */
export async function requireHeir(
  node: AgentNode,
  step: HandoffMasterStep,
): Promise<'is heir' | 'is master'> {
  const { node: key, master, masterNodeId } = step;
  const { connection } = node;
  const { myself, view } = await readOwnView(connection, key);
  const entry = view.nodes.find((candidate) => candidate.nodeId === masterNodeId);
  if (myself.masterId === '') {
    if (myself.slots.length > 0 && (entry?.slots ?? []).length === 0) return 'is master';
    throw new RedroverError(
      'failed-precondition',
      `${key} is a master itself and no replica of ${master} (${masterNodeId}); plan again`,
    );
  }
  if (myself.masterId !== masterNodeId) {
    throw new RedroverError(
      'failed-precondition',
      `${key} does not follow ${master} (${masterNodeId}); plan again`,
    );
  }
  if (entry === undefined || entry.slots.length === 0) {
    throw new RedroverError(
      'failed-precondition',
      `${master} (${masterNodeId}) owns no slots in the view of ${key}: there is nothing to hand over`,
    );
  }
  requireLivingMaster(entry, step);
  requireMajority(view, key);
  await requireSync(node, step);
  return 'is heir';
}

function requireLivingMaster(entry: ViewNode, { node: key, master }: HandoffMasterStep): void {
  const isFailing = entry.flags.some((flag) => flag.startsWith('fail') || flag === 'noaddr');
  if (!isFailing && entry.connected) return;
  throw new RedroverError(
    'unavailable',
    `${key} ${isFailing ? `sees its master ${master} as failing` : `has no link to ${master}`}, so ` +
      'the two cannot agree on a handoff',
  );
}

/** A handoff is an election, which more than half of the masters with slots have to grant. */
function requireMajority(view: ClusterView, key: string): void {
  const voters = view.nodes.filter((node) => node.masterId === '' && node.slots.length > 0);
  const living = voters.filter(
    ({ flags, connected }) => connected && !flags.some((flag) => flag.startsWith('fail')),
  );
  if (living.length * 2 > voters.length) return;
  throw new RedroverError(
    'unavailable',
    `${key} sees ${living.length} of ${voters.length} masters alive: no majority could elect it`,
  );
}

async function requireSync(
  { connection }: AgentNode,
  { node: key, master, masterNodeId }: HandoffMasterStep,
): Promise<void> {
  const info = readInfo(await connection.text(['INFO', 'replication']));
  const silenceSeconds = info.masterLastIoSeconds ?? -1;
  const isLinked = info.masterLinkUp === true && !info.syncInProgress && silenceSeconds >= 0;
  if (!isLinked || silenceSeconds > MAX_SILENCE_SECONDS) {
    const why = isLinked ? `heard nothing for ${silenceSeconds} s` : 'its link is down or it syncs';
    throw new RedroverError('unavailable', `${key} is not in sync with ${master}: ${why}`);
  }
  const lagBytes =
    ((await readMasterOffset(connection, masterNodeId)) ?? 0) - info.replicationOffset;
  if (lagBytes <= MAX_LAG_BYTES) return;
  throw new RedroverError(
    'unavailable',
    `${key} is ${lagBytes} bytes behind ${master}: clients would be held until it has caught up`,
  );
}
