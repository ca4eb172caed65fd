/** The node's own line of its own view, read now: what several steps check before they act. */
import {
  readClusterNodes,
  RedroverError,
  type ClusterView,
  type NodeKey,
  type ViewNode,
} from '@redrover/core';
import type { NodeConnection } from '../redis/node-connection.ts';

export interface OwnView {
  readonly myself: ViewNode;
  readonly view: ClusterView;
}

export async function readOwnView(connection: NodeConnection, key: NodeKey): Promise<OwnView> {
  const { myselfId, view } = readClusterNodes(await connection.text(['CLUSTER', 'NODES']));
  const myself = view.nodes.find((node) => node.nodeId === myselfId);
  if (myself !== undefined) return { myself, view };
  throw new RedroverError('unavailable', `${key} does not show itself in CLUSTER NODES yet`);
}
