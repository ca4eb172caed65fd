/** Gathers what the stale-master guard decides on: files of the node, its record, and its peers. */
import {
  normalizeRanges,
  readClusterNodes,
  sameSlots,
  type ClusterView,
  type SlotRange,
  type ViewNode,
} from '@redrover/core';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, fileError, readIfPresent } from '../files/durable-file.ts';
import { readDirective } from '../nodes/config-syntax.ts';
import type { NodeRecord, PeerAddress } from '../nodes/node-record.ts';
import { readNodeFile } from '../nodes/node-file.ts';
import { RDB_NAME, type NodePaths } from '../nodes/paths.ts';
import { NodeConnection } from '../redis/node-connection.ts';
import { readAofState } from './aof-state.ts';
import { readIdentity, readWrittenView } from './identity.ts';
import { readBootId } from './processes.ts';
import type { StartFacts } from './stale-master.ts';

export interface StartQuestion {
  readonly record: NodeRecord;
  readonly paths: NodePaths;
  readonly heldMs: number;
  /** Whether peers are asked: only worth it once the start has been held back. */
  readonly askPeers: boolean;
}

/** More are not asked: one that saw the election is enough, and a thousand would take too long. */
const MAX_PEERS_ASKED = 8;
const PEER_TIMEOUT_MS = 1_000;

/** A file that a person's `release-node` leaves beside the records; used up by the next start. */
export function releaseFile(records: string, port: number): string {
  return join(records, `${port}.release`);
}

/**
 * What the release file says: which end of the node it is for. Another process that ran since has
 * made it void: it must not let that one start years later.
 */
export function releaseWord({ process: last }: NodeRecord): string {
  return last === undefined ? 'stopped' : `${last.pid} ${last.startTicks} ${last.bootId}`;
}

export async function gatherStartFacts(
  question: StartQuestion,
  records: string,
): Promise<StartFacts> {
  const { record, paths } = question;
  const past = await readPast(question);
  const config = (await readNodeFile(paths.config)) ?? '';
  const aof = await aofFacts(record, paths, config);
  const identity = await readIdentity(record, paths);
  const isLost = identity === 'lost' || identity === 'no-directory';
  return {
    identity,
    directory: paths.directory,
    cluster: record.cluster,
    wasMaster: past.wasMaster,
    slots: past.slots,
    replicas: past.replicas.map(({ address, port }) => `${address}:${port}`),
    cleanStop: await holdsSavedState(record, paths, config),
    aofComplete: aof === '',
    aofProblem: aof,
    aofAlwaysSynced: readDirective(config, 'appendfsync') === 'always',
    rebooted: record.process !== undefined && record.process.bootId !== readBootId(),
    // Nothing that a peer says gives a lost node its identity back.
    superseded: !isLost && question.askPeers && (await isSuperseded(record, past)),
    released: (await readIfPresent(releaseFile(records, record.port))) === releaseWord(record),
    heldMs: question.heldMs,
    nodeTimeoutMs: record.plan.nodeTimeoutMs,
  };
}

export async function useUpRelease(records: string, port: number): Promise<void> {
  await rm(releaseFile(records, port), { force: true });
}

/** What the node was when it went down, by its own nodes.conf and by what was last seen. */
interface Past {
  readonly nodeId: string;
  readonly wasMaster: boolean;
  readonly slots: readonly SlotRange[];
  readonly configEpoch: number;
  readonly replicas: readonly PeerAddress[];
  readonly peers: readonly PeerAddress[];
}

/**
 * A promotion is written to nodes.conf, and synced, before the agent can have seen it, so the file
 * counts first. If the file is gone the node would start as a stranger at a master's address, and
 * its replicas would copy it all the same.
 */
async function readPast({ record, paths }: StartQuestion): Promise<Past> {
  const seen = record.lastSeen ?? record.former;
  const remembered: Past = {
    nodeId: seen?.nodeId ?? '',
    wasMaster: seen?.role === 'master',
    slots: seen?.slots ?? [],
    configEpoch: seen?.configEpoch ?? 0,
    replicas: seen?.replicas ?? [],
    peers: seen?.peers ?? [],
  };
  const written = await readWrittenView(paths);
  if (written === undefined) return remembered;
  const { myself, view } = written;
  const others = view.nodes.filter((node) => node.nodeId !== myself.nodeId).map(addressOf);
  const followers = view.nodes.filter((node) => node.masterId === myself.nodeId).map(addressOf);
  if (myself.masterId !== '') return { ...remembered, wasMaster: false, peers: others };
  return {
    nodeId: myself.nodeId,
    wasMaster: true,
    slots: myself.slots,
    configEpoch: myself.configEpoch,
    replicas: followers.length > 0 ? followers : remembered.replicas,
    peers: others.length > 0 ? others : remembered.peers,
  };
}

/** Whether a start on this config loads the AOF, and so no snapshot. */
export function loadsAof(config: string): boolean {
  return readDirective(config, 'appendonly') === 'yes';
}

/** Whether what the node saved at its last stop is there still, and is what a start loads. */
async function holdsSavedState(
  { cleanStop, plan }: NodeRecord,
  { directory }: NodePaths,
  config: string,
): Promise<boolean> {
  switch (cleanStop) {
    case 'aof':
      return loadsAof(config) && (await readAofState(directory, plan.version)).complete;
    case 'rdb':
      return !loadsAof(config) && (await exists(join(directory, RDB_NAME)));
    default:
      return false;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') return false;
    throw fileError(thrown, `looking at ${path}`);
  }
}

/** What keeps the AOF from holding the last state; empty if nothing does. */
async function aofFacts(record: NodeRecord, paths: NodePaths, config: string): Promise<string> {
  if (!loadsAof(config)) return 'appendonly is not yes';
  if (record.cleanStop === 'unloaded') return 'it was off when the node was stopped';
  if (record.lastSeen?.aofWritten === false) return 'it was off or its last write had failed';
  return (await readAofState(paths.directory, record.plan.version)).problem;
}

/** Whether a living peer sees another master, with a higher epoch, on every slot of the node. */
async function isSuperseded(record: NodeRecord, past: Past): Promise<boolean> {
  const asked = [...past.replicas, ...past.peers].slice(0, MAX_PEERS_ASKED);
  const views = await Promise.all(asked.map((peer) => askForView(peer, record.password)));
  return views.some((view) => view !== undefined && ownsInstead(view, past));
}

function ownsInstead(view: ClusterView, past: Past): boolean {
  const takers = view.nodes.filter(
    (node) => node.nodeId !== past.nodeId && node.configEpoch > past.configEpoch,
  );
  const taken = takers.flatMap((node) => node.slots);
  return sameSlots([...taken, ...past.slots], taken) && normalizeRanges(past.slots).length > 0;
}

async function askForView(peer: PeerAddress, password: string): Promise<ClusterView | undefined> {
  const key = `${peer.address}:${peer.port}`;
  const connection = new NodeConnection({ ...peer, key, password });
  try {
    const text = await connection.text(['CLUSTER', 'NODES'], { timeoutMs: PEER_TIMEOUT_MS });
    return readClusterNodes(text).view;
  } catch {
    // A peer that cannot be asked proves nothing; there are others, and a later turn.
    return undefined;
  } finally {
    connection.close();
  }
}

function addressOf({ nodeId, address, port }: ViewNode): PeerAddress {
  return { nodeId, address, port };
}
