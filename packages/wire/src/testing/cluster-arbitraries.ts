/** Random specs, layouts and findings. */
import type * as core from '@redrover/core';
import * as fc from 'fast-check';
import {
  bool,
  list,
  maybe,
  name,
  port,
  record,
  slotRange,
  text,
  texts,
  uint32,
  uint64,
  word,
} from './field-arbitraries.ts';
import { keyed, nodeRole } from './shared-arbitraries.ts';

export const clusterSpec = record<core.ClusterSpec>({
  name: text,
  release: text,
  shards: uint32,
  replicas: uint32,
  placement: record<core.PlacementSpec>({
    hosts: list(text),
    basePort: port,
    zoneLabel: text,
    allowSameHost: bool,
    allowWeakQuorum: bool,
  }),
  nodes: list(
    record<core.PinnedNode>({ host: word, port, shard: maybe(uint32), role: maybe(nodeRole) }),
  ),
  maxmemoryBytes: maybe(uint64),
  nodeTimeoutMs: uint32,
  repair: fc.constantFrom('manual', 'auto'),
  repairQuietMs: uint32,
  config: texts,
});

export const layoutNode: fc.Arbitrary<core.LayoutNode> = keyed(
  record<Omit<core.LayoutNode, 'key'>>({
    host: name,
    address: word,
    port,
    busPort: port,
    shard: word,
    preferredRole: nodeRole,
    configEpoch: uint32,
  }),
);

export const layout = record<core.Layout>({
  cluster: name,
  clusterId: word,
  number: uint32,
  release: name,
  shards: list(record<core.LayoutShard>({ id: word, slots: list(slotRange) })),
  nodes: list(layoutNode),
  maxmemoryBytes: maybe(uint64),
  nodeTimeoutMs: uint32,
  config: texts,
  zoneLabel: text,
  allowSameHost: bool,
  allowWeakQuorum: bool,
  drainedHosts: list(name),
});

export const finding = record<core.Finding>({
  rule: word,
  severity: fc.constantFrom<core.Severity[]>('info', 'warning', 'critical'),
  subject: text,
  message: text,
  evidence: list(text),
  remedy: text,
});
