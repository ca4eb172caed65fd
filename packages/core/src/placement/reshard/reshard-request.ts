/** What a reshard is planned from, and how it is refused or found needless. */
import type { Finding } from '../../model/finding.ts';
import type { Host } from '../../model/host.ts';
import type { Layout, LayoutNode } from '../../model/layout.ts';
import type { Reshard, SlotStats } from '../../model/migration.ts';
import type { Observation } from '../../model/observation.ts';
import type { ClusterSpec } from '../../model/spec.ts';
import type { SlotsByShard } from '../slots/slot-owners.ts';

export interface ReshardRequest {
  readonly change: Reshard;
  readonly spec: ClusterSpec;
  /** The layout in force. */
  readonly layout: Layout;
  /** All known hosts. */
  readonly hosts: readonly Host[];
  /** Where slots are; of those that are not named it is taken from the layout. */
  readonly ownedSlots: SlotsByShard;
  /** Of every slot; only for a rebalance by keys or memory. */
  readonly stats?: readonly SlotStats[] | undefined;
  /** Nodes that are there beside the layout's keep their ports; default: there are none. */
  readonly observation?: Observation | undefined;
  /** Of the layout that is planned. */
  readonly number: number;
}

/** A layout that has not been checked by `lintLayout`, or why there is none. */
export type ReshardDraft =
  | { readonly ok: true; readonly layout: Layout; readonly findings: readonly Finding[] }
  | { readonly ok: false; readonly refusals: readonly Finding[] };

export function drafted(layout: Layout, findings: readonly Finding[]): ReshardDraft {
  return { ok: true, layout, findings };
}

export function refused(refusal: Omit<Finding, 'severity'>): ReshardDraft {
  return { ok: false, refusals: [{ ...refusal, severity: 'critical' }] };
}

export function info(finding: Omit<Finding, 'severity'>): Finding {
  return { ...finding, severity: 'info' };
}

export function unknownShard({ cluster, shards }: Layout, named: string): ReshardDraft {
  return refused({
    rule: 'shard-known',
    subject: named,
    message: `Cluster ${cluster} has no shard ${named}.`,
    evidence: [`its shards are ${shards.map(({ id }) => id).join(', ')}`],
    remedy: 'Name one of its shards.',
  });
}

export function describeNode({ key, shard, preferredRole }: LayoutNode): string {
  return `${key} (${shard} ${preferredRole})`;
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
