/**
 * The spec that a reshard leaves behind: nodes that it pins must be where the new layout has them.
 */
import type { Layout } from '../../model/layout.ts';
import type { ClusterSpec } from '../../model/spec.ts';
import { movePin } from '../host-change/spec-after-host-change.ts';

export function specAfterReshard(
  spec: ClusterSpec,
  layouts: { readonly before: Layout; readonly after: Layout },
): ClusterSpec {
  return { ...spec, nodes: spec.nodes.map((pin) => movePin(pin, layouts)) };
}
