/** What agents would have seen of a cluster that is all well, in the roles that are given. */
import type { Layout, LayoutNode, NodeKey } from '../../model/layout.ts';
import type { NodeObservation, Observation, ViewNode } from '../../model/observation.ts';
import { ABSENT, freshRedis } from '../../planning/fresh-node.ts';
import { clusterViewOf } from '../../topology/cluster-view.ts';
import { effectiveRoles, type EffectiveRole } from '../effective-roles.ts';
import { hostFacts } from './examples.ts';

const SEEN_AT_MS = 1_700_000_000_000;

/** By default every node is what the layout wants it to be; stopped nodes are in nobody's view. */
export function settledCluster(
  layout: Layout,
  roles: ReadonlyMap<NodeKey, EffectiveRole> = effectiveRoles(layout),
): Observation {
  const running = layout.nodes.filter((node) => roles.get(node.key) !== 'stopped');
  const view = clusterViewOf(running.map((node) => entryOf(layout, node, roles)));
  const names = [...new Set(layout.nodes.map((node) => node.host))];
  return {
    hosts: Object.fromEntries(
      names.map((name) => [
        name,
        {
          name,
          status: 'online',
          lastSeenMs: SEEN_AT_MS,
          facts: hostFacts(),
          builds: [],
          movers: [],
        },
      ]),
    ),
    nodes: Object.fromEntries(
      layout.nodes.map((node): [NodeKey, NodeObservation] => {
        const { key, host, port } = node;
        const marker = { cluster: layout.cluster, clusterId: layout.clusterId, layoutNumber: 1 };
        const seen = { key, host, port, observedAtMs: SEEN_AT_MS };
        const role = roles.get(key);
        if (role === 'stopped' || role === undefined) {
          const process = { ...ABSENT, state: 'stopped' as const, marker, hasData: true };
          return [key, { ...seen, process, redis: undefined }];
        }
        const process = { ...ABSENT, state: 'running' as const, marker, hasData: true, pid: port };
        const isReplica = role === 'replica';
        const said = {
          ...freshRedis(node),
          role,
          clusterState: 'ok' as const,
          slotsAssigned: 16_384,
          knownNodes: running.length,
          masterLinkUp: isReplica ? true : undefined,
          masterLastIoSeconds: isReplica ? 1 : undefined,
          nodeTimeoutMs: layout.nodeTimeoutMs,
          view,
        };
        return [key, { ...seen, process, redis: said }];
      }),
    ),
    sharedBuilds: [],
  };
}

function entryOf(
  layout: Layout,
  node: LayoutNode,
  roles: ReadonlyMap<NodeKey, EffectiveRole>,
): ViewNode {
  const isMaster = (member: LayoutNode) => roles.get(member.key) === 'master';
  const shard = layout.shards.findIndex(({ id }) => id === node.shard);
  const master = layout.nodes.find((other) => other.shard === node.shard && isMaster(other));
  const own = freshRedis(node).view.nodes[0];
  if (own === undefined) throw new Error('a fresh node knows itself');
  const following = isMaster(node) || master === undefined ? '' : freshRedis(master).nodeId;
  return {
    ...own,
    flags: [isMaster(node) ? 'master' : 'slave'],
    masterId: following,
    configEpoch: shard + 1,
    slots: isMaster(node) ? (layout.shards[shard]?.slots ?? []) : [],
  };
}
