/**
 * What nodes believe of their cluster, between proto and core.
 *
 * Views are content-addressed: nodes that agree share one, which travels once. `connected` is each node's own and not
 * part of the hash, so a shared view holds it as true for every node, and a heartbeat carries the ids of those that
 * its node has no working link to.
 */
import { create } from '@bufbuild/protobuf';
import type * as core from '@redrover/core';
import * as proto from '@redrover/proto';
import { slotRangeFromProto, slotRangeToProto } from './cluster.ts';
import {
  listFromProto,
  nonEmptyFromProto,
  numberFromProto,
  numberToProto,
  slotFromProto,
  viewPortFromProto,
} from './fields.ts';

/** The view as nodes that agree share it: what is one node's own is taken out. */
export function sharedView(view: core.ClusterView): core.ClusterView {
  return withDisconnected(view, []);
}

/** The ids of the nodes that the view's owner has no working link to. */
export function disconnectedIds(view: core.ClusterView): string[] {
  return view.nodes.filter((node) => !node.connected).map((node) => node.nodeId);
}

/** The view with exactly these nodes disconnected. */
export function withDisconnected(
  view: core.ClusterView,
  nodeIds: readonly string[],
): core.ClusterView {
  const disconnected = new Set(nodeIds);
  return {
    hash: view.hash,
    nodes: view.nodes.map((node) => ({ ...node, connected: !disconnected.has(node.nodeId) })),
  };
}

export function clusterViewToProto(view: core.ClusterView): proto.ClusterView {
  return create(proto.ClusterViewSchema, {
    hash: view.hash,
    nodes: view.nodes.map((node) => ({
      ...node,
      flags: [...node.flags],
      configEpoch: numberToProto(node.configEpoch, `view of ${node.nodeId}: configEpoch`),
      slots: node.slots.map(slotRangeToProto),
      migrating: [...node.migrating],
      importing: [...node.importing],
    })),
  });
}

export function clusterViewFromProto(message: proto.ClusterView, path = 'view'): core.ClusterView {
  return {
    hash: nonEmptyFromProto(message.hash, `${path}.hash`),
    nodes: listFromProto(message.nodes, `${path}.nodes`, viewNodeFromProto),
  };
}

function viewNodeFromProto(message: proto.ViewNode, path: string): core.ViewNode {
  return {
    nodeId: nonEmptyFromProto(message.nodeId, `${path}.nodeId`),
    address: message.address,
    port: viewPortFromProto(message.port, `${path}.port`),
    busPort: viewPortFromProto(message.busPort, `${path}.busPort`),
    flags: [...message.flags],
    masterId: message.masterId,
    configEpoch: numberFromProto(message.configEpoch, `${path}.configEpoch`),
    connected: message.connected,
    slots: listFromProto(message.slots, `${path}.slots`, slotRangeFromProto),
    migrating: listFromProto(message.migrating, `${path}.migrating`, openSlotFromProto),
    importing: listFromProto(message.importing, `${path}.importing`, openSlotFromProto),
  };
}

function openSlotFromProto(message: proto.OpenSlot, path: string): core.OpenSlot {
  return {
    slot: slotFromProto(message.slot, `${path}.slot`),
    nodeId: nonEmptyFromProto(message.nodeId, `${path}.nodeId`),
  };
}
