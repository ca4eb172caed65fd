/**
 * Whether a node would still be the one that its cluster knows, if it were started now.
 *
 * A server without a nodes.conf gives itself a new id, loads its AOF and claims the slots of the keys
 * in it, for it knows nobody else who could own them (cluster.c, `verifyClusterConfigWithData`). That is
 * a stranger at a known address, which the replicas of the old node would even copy.
 */
import { readClusterNodes, type ClusterView, type ViewNode } from '@redrover/core';
import { isDataset, listDirectory } from '../nodes/directory.ts';
import type { LastSeen, NodeRecord } from '../nodes/node-record.ts';
import { readNodeFile } from '../nodes/node-file.ts';
import type { NodePaths } from '../nodes/paths.ts';

/**
 * `none`: it never had one, and none is needed. `lost`: the directory is there, its nodes.conf is gone,
 * empty or broken. `no-directory`: all of it is gone.
 */
export type Identity = 'kept' | 'none' | 'lost' | 'no-directory';

export interface OwnView {
  readonly myself: ViewNode;
  readonly view: ClusterView;
}

export async function readIdentity(record: NodeRecord, paths: NodePaths): Promise<Identity> {
  if ((await readWrittenView(paths)) !== undefined) return 'kept';
  const names = await listDirectory(paths);
  if (names === undefined) return 'no-directory';
  const { lastSeen } = record;
  if (lastSeen !== undefined) return wasInCluster(lastSeen) ? 'lost' : 'none';
  // Never seen to answer. A server writes its nodes.conf first and data later: data alone is a loss.
  return names.some(isDataset) ? 'lost' : 'none';
}

/** The node's own line of its nodes.conf and the view that it wrote there last. */
export async function readWrittenView(paths: NodePaths): Promise<OwnView | undefined> {
  const text = await readNodeFile(paths.clusterConfig);
  if (text === undefined) return undefined;
  try {
    const { myselfId, view } = readClusterNodes(text);
    const myself = view.nodes.find((node) => node.nodeId === myselfId);
    return myself === undefined ? undefined : { myself, view };
  } catch {
    // Broken: the server refuses to start on it, so it decides nothing here.
    return undefined;
  }
}

/** A node that owned nothing and knew nobody is not missed by anybody. */
function wasInCluster({ slots, peers, replicas }: LastSeen): boolean {
  return slots.length > 0 || peers.length > 0 || replicas.length > 0;
}
