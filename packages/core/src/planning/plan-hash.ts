/**
 * The fingerprint of a node plan, by which planner and agent tell whether the config that is in
 * force was rendered from this plan. The agent stores it with the config; see `NodePlan`.
 */
import type { NodePlan } from '../model/step.ts';
import { fingerprintOf } from '../topology/fingerprint.ts';

/**
 * Covers what a rendered config depends on, and nothing else: the layout's number, the node's
 * shard, preferred role and config epoch may change without a byte of its config changing, and
 * must not make a new layout rewrite the config of nodes that it does not touch.
 */
export function planHashOf(plan: NodePlan): string {
  const { node } = plan;
  return fingerprintOf(
    JSON.stringify([
      plan.cluster,
      plan.clusterId,
      [node.key, node.host, node.address, node.port, node.busPort],
      [plan.release, plan.product, plan.version],
      [plan.maxmemoryBytes ?? null, plan.nodeTimeoutMs],
      Object.entries(plan.config).sort(([a], [b]) => (a < b ? -1 : 1)),
    ]),
  );
}
