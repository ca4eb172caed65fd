/** Steps, node plans and fences between proto and core. */
import { create } from '@bufbuild/protobuf';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type * as core from '@redrover/core';
import * as proto from '@redrover/proto';
import {
  layoutNodeFromProto,
  layoutNodeToProto,
  maxmemoryFromProto,
  maxmemoryToProto,
  nodeRoleToProto,
  optionalRoleFromProto,
  slotRangeFromProto,
  slotRangeToProto,
} from './cluster.ts';
import {
  invalidField,
  listFromProto,
  nameFromProto,
  nonEmptyFromProto,
  numberFromProto,
  numberToProto,
  portFromProto,
  requiredField,
  timestampFromProto,
  timestampToProto,
} from './fields.ts';
import {
  moveEndFromProto,
  moveEngineFromProto,
  moveEngineToProto,
  moveOptionsFromProto,
  moveOptionsToProto,
} from './migration.ts';
import { productFromProto, productToProto, releaseFromProto, releaseToProto } from './release.ts';

export function stepToProto(step: core.Step): proto.Step {
  return create(proto.StepSchema, { step: stepCase(step) });
}

type StepCase = NonNullable<MessageInitShape<typeof proto.StepSchema>['step']>;

function stepCase(step: core.Step): StepCase {
  switch (step.kind) {
    case 'buildRelease':
      return { case: step.kind, value: { ...step, release: releaseToProto(step.release) } };
    case 'fetchBuild':
      return { case: step.kind, value: { ...step, release: releaseToProto(step.release) } };
    case 'prepareNode':
      return { case: step.kind, value: { ...step, plan: nodePlanToProto(step.plan) } };
    case 'probeMesh':
      return { case: step.kind, value: { ...step, targets: [...step.targets] } };
    case 'meetNodes':
      return { case: step.kind, value: { ...step, peers: [...step.peers] } };
    case 'claimSlots':
      return { case: step.kind, value: { ...step, slots: step.slots.map(slotRangeToProto) } };
    case 'startNode':
      return { case: step.kind, value: { ...step } };
    case 'setTiming':
      return { case: step.kind, value: { ...step } };
    case 'attachReplica':
      return { case: step.kind, value: { ...step } };
    case 'handoffMaster':
      return { case: step.kind, value: { ...step } };
    case 'forgetNodes':
      return { case: step.kind, value: { ...step, nodeIds: [...step.nodeIds] } };
    case 'moveSlots':
      return { case: step.kind, value: moveSlotsToProto(step) };
    case 'stopMoves':
      return { case: step.kind, value: { host: step.host } };
    case 'verifyWrite':
      return { case: step.kind, value: { ...step } };
    case 'stopNode':
      return { case: step.kind, value: { ...step } };
    case 'removeNode':
      return { case: step.kind, value: { ...step } };
  }
}

export function stepFromProto(message: proto.Step, path = 'step'): core.Step {
  const { step } = message;
  if (step.case === undefined) {
    throw invalidField(path, 'no step is set, or one that this version does not know');
  }
  const at = `${path}.${step.case}`;
  const host = nameFromProto(step.value.host, `${at}.host`);
  switch (step.case) {
    case 'buildRelease':
      return { kind: step.case, host, release: releaseOf(step.value, at) };
    case 'fetchBuild': {
      const buildId = nameFromProto(step.value.buildId, `${at}.buildId`);
      return { kind: step.case, host, release: releaseOf(step.value, at), buildId };
    }
    case 'prepareNode': {
      const plan = requiredField(step.value.plan, `${at}.plan`);
      return { kind: step.case, host, plan: nodePlanFromProto(plan, `${at}.plan`) };
    }
    case 'probeMesh': {
      const targets = listFromProto(step.value.targets, `${at}.targets`, probeTargetFromProto);
      return { kind: step.case, host, targets };
    }
    case 'stopMoves':
      return { kind: step.case, host };
    default:
      return nodeStepFromProto(step, { host, path: at });
  }
}

type SetCase = Extract<proto.Step['step'], { value: unknown }>;
type NodeStepCase = Extract<SetCase, { value: { node: string } }>;

/** The steps that act on one node of the host. */
function nodeStepFromProto(
  step: NodeStepCase,
  { host, path }: { readonly host: string; readonly path: string },
): core.Step {
  const node = nonEmptyFromProto(step.value.node, `${path}.node`);
  switch (step.case) {
    case 'setTiming': {
      const { nodeTimeoutMs, replicaNoFailover } = step.value;
      return { kind: step.case, host, node, nodeTimeoutMs, replicaNoFailover };
    }
    case 'claimSlots': {
      const slots = listFromProto(step.value.slots, `${path}.slots`, slotRangeFromProto);
      return { kind: step.case, host, node, configEpoch: step.value.configEpoch, slots };
    }
    case 'meetNodes': {
      const peers = listFromProto(step.value.peers, `${path}.peers`, probeTargetFromProto);
      return { kind: step.case, host, node, peers };
    }
    case 'attachReplica':
    case 'handoffMaster': {
      const master = nonEmptyFromProto(step.value.master, `${path}.master`);
      const masterNodeId = nonEmptyFromProto(step.value.masterNodeId, `${path}.masterNodeId`);
      return { kind: step.case, host, node, master, masterNodeId };
    }
    case 'forgetNodes': {
      const nodeIds = listFromProto(step.value.nodeIds, `${path}.nodeIds`, nonEmptyFromProto);
      return { kind: step.case, host, node, nodeIds };
    }
    case 'moveSlots':
      return moveSlotsFromProto(step.value, { host, node, path });
    case 'startNode':
    case 'verifyWrite':
    case 'stopNode':
      return { kind: step.case, host, node };
    case 'removeNode':
      return { kind: step.case, host, node, purge: step.value.purge };
  }
}

function moveSlotsToProto(step: core.MoveSlotsStep) {
  const { host, node, source, target, nodeTimeoutMs } = step;
  return {
    host,
    node,
    engine: moveEngineToProto(step.engine),
    source: { ...source },
    target: { ...target },
    slots: step.slots.map(slotRangeToProto),
    sourceReplicas: step.sourceReplicas.map((end) => ({ ...end })),
    targetReplicas: step.targetReplicas.map((end) => ({ ...end })),
    otherMasters: step.otherMasters.map((end) => ({ ...end })),
    nodeTimeoutMs,
    options: moveOptionsToProto(step.options),
  };
}

function moveSlotsFromProto(
  message: proto.MoveSlotsStep,
  { host, node, path }: { readonly host: string; readonly node: string; readonly path: string },
): core.MoveSlotsStep {
  const ends = (field: 'sourceReplicas' | 'targetReplicas' | 'otherMasters') =>
    listFromProto(message[field], `${path}.${field}`, moveEndFromProto);
  const end = (field: 'source' | 'target') =>
    moveEndFromProto(requiredField(message[field], `${path}.${field}`), `${path}.${field}`);
  const options = requiredField(message.options, `${path}.options`);
  return {
    kind: 'moveSlots',
    host,
    node,
    engine: moveEngineFromProto(message.engine, `${path}.engine`),
    source: end('source'),
    target: end('target'),
    slots: listFromProto(message.slots, `${path}.slots`, slotRangeFromProto),
    sourceReplicas: ends('sourceReplicas'),
    targetReplicas: ends('targetReplicas'),
    otherMasters: ends('otherMasters'),
    nodeTimeoutMs: message.nodeTimeoutMs,
    options: moveOptionsFromProto(options, `${path}.options`),
  };
}

function releaseOf(
  value: { readonly release?: proto.Release | undefined },
  path: string,
): core.Release {
  return releaseFromProto(requiredField(value.release, `${path}.release`), `${path}.release`);
}

function probeTargetFromProto(message: proto.ProbeTarget, path: string): core.ProbeTarget {
  return {
    node: nonEmptyFromProto(message.node, `${path}.node`),
    address: nonEmptyFromProto(message.address, `${path}.address`),
    port: portFromProto(message.port, `${path}.port`),
    busPort: portFromProto(message.busPort, `${path}.busPort`),
  };
}

export function nodePlanToProto(plan: core.NodePlan): proto.NodePlan {
  return create(proto.NodePlanSchema, {
    cluster: plan.cluster,
    clusterId: plan.clusterId,
    layoutNumber: plan.layoutNumber,
    node: layoutNodeToProto(plan.node),
    release: plan.release,
    product: productToProto(plan.product),
    version: plan.version,
    maxmemoryBytes: maxmemoryToProto(plan.maxmemoryBytes, 'plan'),
    nodeTimeoutMs: plan.nodeTimeoutMs,
    config: { ...plan.config },
  });
}

export function nodePlanFromProto(message: proto.NodePlan, path = 'plan'): core.NodePlan {
  return {
    cluster: nameFromProto(message.cluster, `${path}.cluster`),
    clusterId: nonEmptyFromProto(message.clusterId, `${path}.clusterId`),
    layoutNumber: message.layoutNumber,
    node: layoutNodeFromProto(requiredField(message.node, `${path}.node`), `${path}.node`),
    release: nameFromProto(message.release, `${path}.release`),
    product: productFromProto(message.product, `${path}.product`),
    version: nameFromProto(message.version, `${path}.version`),
    maxmemoryBytes: maxmemoryFromProto(message, path),
    nodeTimeoutMs: message.nodeTimeoutMs,
    config: { ...message.config },
  };
}

export function fenceToProto(fence: core.Fence): proto.Fence {
  const { nodeId, role } = fence.preconditions;
  return create(proto.FenceSchema, {
    incarnation: numberToProto(fence.incarnation, 'fence.incarnation'),
    cluster: fence.cluster,
    operationId: fence.operationId,
    layoutNumber: fence.layoutNumber,
    expiresAt: timestampToProto(fence.expiresAtMs),
    preconditions: {
      nodeId,
      role: role === '' ? proto.NodeRole.UNSPECIFIED : nodeRoleToProto(role),
    },
  });
}

/** Nothing of a fence may be left out by mistake: a missing part would mean that it is not checked. */
export function fenceFromProto(message: proto.Fence, path = 'fence'): core.Fence {
  const preconditions = requiredField(message.preconditions, `${path}.preconditions`);
  const role = optionalRoleFromProto(preconditions.role, `${path}.preconditions.role`);
  return {
    incarnation: numberFromProto(message.incarnation, `${path}.incarnation`),
    cluster: message.cluster,
    operationId: message.operationId,
    layoutNumber: message.layoutNumber,
    expiresAtMs: timestampFromProto(message.expiresAt, `${path}.expiresAt`),
    preconditions: { nodeId: preconditions.nodeId, role: role ?? '' },
  };
}
