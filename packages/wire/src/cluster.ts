/** Specs, layouts, slot ranges, roles and findings between proto and core. */
import { create } from '@bufbuild/protobuf';
import { nodeKey } from '@redrover/core';
import type * as core from '@redrover/core';
import * as proto from '@redrover/proto';
import {
  enumMapping,
  invalidField,
  listFromProto,
  nameFromProto,
  nonEmptyFromProto,
  numberFromProto,
  numberToProto,
  optional,
  portFromProto,
  requiredField,
  slotFromProto,
} from './fields.ts';

const nodeRole = enumMapping<core.NodeRole, proto.NodeRole>({
  master: proto.NodeRole.MASTER,
  replica: proto.NodeRole.REPLICA,
});

const severity = enumMapping<core.Severity, proto.Severity>({
  info: proto.Severity.INFO,
  warning: proto.Severity.WARNING,
  critical: proto.Severity.CRITICAL,
});

export function nodeRoleToProto(role: core.NodeRole): proto.NodeRole {
  return nodeRole.toProto(role);
}

export function nodeRoleFromProto(role: proto.NodeRole, path = 'role'): core.NodeRole {
  return nodeRole.fromProto(role, path);
}

/** For fields where unspecified means that nothing is asked for. */
export function optionalRoleFromProto(
  role: proto.NodeRole,
  path: string,
): core.NodeRole | undefined {
  return role === proto.NodeRole.UNSPECIFIED ? undefined : nodeRole.fromProto(role, path);
}

const repairMode = {
  manual: proto.RepairMode.MANUAL,
  auto: proto.RepairMode.AUTO,
} as const;

/** Whether the spec makes sense is core's business; here its fields are only brought into shape. */
export function clusterSpecToProto(spec: core.ClusterSpec): proto.ClusterSpec {
  return create(proto.ClusterSpecSchema, {
    name: spec.name,
    release: spec.release,
    shards: spec.shards,
    replicas: spec.replicas,
    placement: { ...spec.placement, hosts: [...spec.placement.hosts] },
    nodes: spec.nodes.map((node) => ({
      host: node.host,
      port: node.port,
      shard: node.shard,
      role: optional(node.role, nodeRoleToProto) ?? proto.NodeRole.UNSPECIFIED,
    })),
    maxmemoryBytes: maxmemoryToProto(spec.maxmemoryBytes, 'spec'),
    nodeTimeoutMs: spec.nodeTimeoutMs,
    repair: repairMode[spec.repair],
    repairQuietMs: spec.repairQuietMs,
    config: { ...spec.config },
  });
}

export function clusterSpecFromProto(message: proto.ClusterSpec, path = 'spec'): core.ClusterSpec {
  const placement = requiredField(message.placement, `${path}.placement`);
  return {
    name: message.name,
    release: message.release,
    shards: message.shards,
    replicas: message.replicas,
    placement: {
      hosts: [...placement.hosts],
      basePort: portFromProto(placement.basePort, `${path}.placement.basePort`),
      zoneLabel: placement.zoneLabel,
      allowSameHost: placement.allowSameHost,
      allowWeakQuorum: placement.allowWeakQuorum,
    },
    nodes: listFromProto(message.nodes, `${path}.nodes`, (node, at) => ({
      host: nonEmptyFromProto(node.host, `${at}.host`),
      port: portFromProto(node.port, `${at}.port`),
      shard: node.shard,
      role: optionalRoleFromProto(node.role, `${at}.role`),
    })),
    maxmemoryBytes: maxmemoryFromProto(message, path),
    nodeTimeoutMs: message.nodeTimeoutMs,
    // A client that does not know the field wants nothing done without being asked.
    repair: message.repair === proto.RepairMode.AUTO ? 'auto' : 'manual',
    repairQuietMs: message.repairQuietMs,
    config: { ...message.config },
  };
}

export function layoutToProto(layout: core.Layout): proto.Layout {
  return create(proto.LayoutSchema, {
    cluster: layout.cluster,
    clusterId: layout.clusterId,
    number: layout.number,
    release: layout.release,
    shards: layout.shards.map(({ id, slots }) => ({ id, slots: slots.map(slotRangeToProto) })),
    nodes: layout.nodes.map(layoutNodeToProto),
    maxmemoryBytes: maxmemoryToProto(layout.maxmemoryBytes, 'layout'),
    nodeTimeoutMs: layout.nodeTimeoutMs,
    config: { ...layout.config },
    zoneLabel: layout.zoneLabel,
    allowSameHost: layout.allowSameHost,
    allowWeakQuorum: layout.allowWeakQuorum,
    drainedHosts: [...layout.drainedHosts],
  });
}

export function layoutFromProto(message: proto.Layout, path = 'layout'): core.Layout {
  return {
    cluster: nameFromProto(message.cluster, `${path}.cluster`),
    clusterId: nonEmptyFromProto(message.clusterId, `${path}.clusterId`),
    number: message.number,
    release: nameFromProto(message.release, `${path}.release`),
    shards: listFromProto(message.shards, `${path}.shards`, (shard, at) => ({
      id: nonEmptyFromProto(shard.id, `${at}.id`),
      slots: listFromProto(shard.slots, `${at}.slots`, slotRangeFromProto),
    })),
    nodes: listFromProto(message.nodes, `${path}.nodes`, layoutNodeFromProto),
    maxmemoryBytes: maxmemoryFromProto(message, path),
    nodeTimeoutMs: message.nodeTimeoutMs,
    config: { ...message.config },
    zoneLabel: message.zoneLabel,
    allowSameHost: message.allowSameHost,
    allowWeakQuorum: message.allowWeakQuorum,
    drainedHosts: [...message.drainedHosts],
  };
}

export function layoutNodeToProto(node: core.LayoutNode): proto.LayoutNode {
  return create(proto.LayoutNodeSchema, {
    ...node,
    preferredRole: nodeRole.toProto(node.preferredRole),
  });
}

export function layoutNodeFromProto(message: proto.LayoutNode, path = 'node'): core.LayoutNode {
  const host = nameFromProto(message.host, `${path}.host`);
  const port = portFromProto(message.port, `${path}.port`);
  return {
    key: nodeKeyFromProto(message.key, { host, port }, `${path}.key`),
    host,
    address: nonEmptyFromProto(message.address, `${path}.address`),
    port,
    busPort: portFromProto(message.busPort, `${path}.busPort`),
    shard: nonEmptyFromProto(message.shard, `${path}.shard`),
    preferredRole: nodeRole.fromProto(message.preferredRole, `${path}.preferredRole`),
    configEpoch: message.configEpoch,
  };
}

/** A key that names another node than the fields beside it would make a journal lie. */
export function nodeKeyFromProto(
  key: string,
  node: { readonly host: string; readonly port: number },
  path: string,
): core.NodeKey {
  const expected = nodeKey(node.host, node.port);
  if (key === expected) return key;
  throw invalidField(path, `${JSON.stringify(key)} does not name the node ${expected}`);
}

export function slotRangeToProto(range: core.SlotRange): proto.SlotRange {
  return create(proto.SlotRangeSchema, { start: range.start, end: range.end });
}

export function slotRangeFromProto(message: proto.SlotRange, path = 'slots'): core.SlotRange {
  const start = slotFromProto(message.start, `${path}.start`);
  const end = slotFromProto(message.end, `${path}.end`);
  if (start <= end) return { start, end };
  throw invalidField(path, `the range ${start}-${end} ends before it starts`);
}

export function findingToProto(finding: core.Finding): proto.Finding {
  return create(proto.FindingSchema, {
    ...finding,
    severity: severity.toProto(finding.severity),
    evidence: [...finding.evidence],
  });
}

export function findingFromProto(message: proto.Finding, path = 'finding'): core.Finding {
  return {
    rule: nonEmptyFromProto(message.rule, `${path}.rule`),
    severity: severity.fromProto(message.severity, `${path}.severity`),
    subject: message.subject,
    message: message.message,
    evidence: [...message.evidence],
    remedy: message.remedy,
  };
}

export function maxmemoryToProto(
  maxmemoryBytes: number | undefined,
  path: string,
): bigint | undefined {
  return optional(maxmemoryBytes, (bytes) => numberToProto(bytes, `${path}.maxmemoryBytes`));
}

export function maxmemoryFromProto(
  message: { readonly maxmemoryBytes?: bigint | undefined },
  path: string,
): number | undefined {
  return optional(message.maxmemoryBytes, (bytes) =>
    numberFromProto(bytes, `${path}.maxmemoryBytes`),
  );
}
