/** What a host change is planned from, and how it is refused. */
import type { Finding } from '../../model/finding.ts';
import type { Host } from '../../model/host.ts';
import type { HostChange } from '../../model/host-change.ts';
import type { Layout, LayoutNode } from '../../model/layout.ts';
import type { Observation } from '../../model/observation.ts';
import type { ClusterSpec } from '../../model/spec.ts';
import { compareNames } from '../candidate-hosts.ts';

export interface HostChangeRequest {
  readonly change: HostChange;
  readonly spec: ClusterSpec;
  /** The layout in force. */
  readonly layout: Layout;
  /** All known hosts. */
  readonly hosts: readonly Host[];
  /** Of the layout's nodes and hosts; nodes beside them keep their ports. */
  readonly observation: Observation;
  /** Of the layout that is planned. */
  readonly number: number;
}

/** A layout that has not been checked by `lintLayout`, or why there is none. */
export type Draft =
  | { readonly ok: true; readonly layout: Layout; readonly findings: readonly Finding[] }
  | Refused;

export interface Refused {
  readonly ok: false;
  readonly refusals: readonly Finding[];
  /** Whether another way to the same end is worth looking for. */
  readonly searchable: boolean;
}

export function accepted(layout: Layout, findings: readonly Finding[] = []): Draft {
  return { ok: true, layout, findings };
}

/** There is another way, perhaps. */
export function refused(refusals: readonly Finding[]): Draft {
  return { ok: false, refusals, searchable: true };
}

/** The request itself is mistaken, or there is nothing to do. */
export function mistaken(refusal: Omit<Finding, 'severity' | 'evidence'>): Refused {
  return { ok: false, refusals: [critical({ ...refusal, evidence: [] })], searchable: false };
}

export function critical(finding: Omit<Finding, 'severity'>): Finding {
  return { ...finding, severity: 'critical' };
}

export function findHost(request: HostChangeRequest, name: string): Host | undefined {
  return request.hosts.find((host) => host.name === name);
}

export function nodesOn(layout: Layout, host: string): LayoutNode[] {
  return layout.nodes.filter((node) => node.host === host);
}

export function unknownHost(request: HostChangeRequest, name: string): Refused {
  const known = request.hosts.map((host) => host.name).sort(compareNames);
  const list = known.length === 0 ? 'there are none' : `known hosts: ${known.join(', ')}`;
  return mistaken({
    rule: 'host-known',
    subject: name,
    message: `Unknown host '${name}'; ${list}.`,
    remedy: `Correct the name, or start an agent as ${name}.`,
  });
}
