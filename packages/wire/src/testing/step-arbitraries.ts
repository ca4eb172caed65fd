/** Random steps of every kind, and what they are fenced with. */
import type * as core from '@redrover/core';
import * as fc from 'fast-check';
import {
  bool,
  type Fields,
  list,
  maybe,
  name,
  port,
  record,
  slotRange,
  text,
  texts,
  timeMs,
  uint32,
  uint64,
  word,
} from './field-arbitraries.ts';
import { layoutNode } from './cluster-arbitraries.ts';
import { release } from './host-arbitraries.ts';
import { moveEnd, moveEngine, moveOptions } from './move-arbitraries.ts';
import { product } from './shared-arbitraries.ts';

export const nodePlan = record<core.NodePlan>({
  cluster: name,
  clusterId: word,
  layoutNumber: uint32,
  node: layoutNode,
  release: name,
  product,
  version: name,
  maxmemoryBytes: maybe(uint64),
  nodeTimeoutMs: uint32,
  config: texts,
});

const probeTarget = record<core.ProbeTarget>({ node: word, address: word, port, busPort: port });

/** One arbitrary per kind: a new kind does not compile until it is here. */
const stepByKind: {
  [Kind in core.StepKind]: Fields<Omit<Extract<core.Step, { kind: Kind }>, 'kind'>>;
} = {
  buildRelease: { host: name, release },
  fetchBuild: { host: name, release, buildId: name },
  prepareNode: { host: name, plan: nodePlan },
  startNode: { host: name, node: word },
  probeMesh: { host: name, targets: list(probeTarget) },
  setTiming: { host: name, node: word, nodeTimeoutMs: uint32, replicaNoFailover: bool },
  claimSlots: { host: name, node: word, configEpoch: uint32, slots: list(slotRange) },
  meetNodes: { host: name, node: word, peers: list(probeTarget) },
  attachReplica: { host: name, node: word, master: word, masterNodeId: word },
  handoffMaster: { host: name, node: word, master: word, masterNodeId: word },
  forgetNodes: { host: name, node: word, nodeIds: list(word) },
  moveSlots: {
    host: name,
    node: word,
    engine: moveEngine,
    source: moveEnd,
    target: moveEnd,
    slots: list(slotRange),
    sourceReplicas: list(moveEnd),
    targetReplicas: list(moveEnd),
    otherMasters: list(moveEnd),
    nodeTimeoutMs: uint32,
    options: moveOptions,
  },
  stopMoves: { host: name },
  verifyWrite: { host: name, node: word },
  stopNode: { host: name, node: word },
  removeNode: { host: name, node: word, purge: bool },
};

export const stepKinds = Object.keys(stepByKind) as core.StepKind[];

export function stepOfKind(kind: core.StepKind): fc.Arbitrary<core.Step> {
  const fields: Record<string, fc.Arbitrary<unknown>> = stepByKind[kind];
  return fc.record({ ...fields, kind: fc.constant(kind) }) as unknown as fc.Arbitrary<core.Step>;
}

export const step: fc.Arbitrary<core.Step> = fc.oneof(...stepKinds.map(stepOfKind));

export const fence = record<core.Fence>({
  incarnation: uint64,
  cluster: text,
  operationId: text,
  layoutNumber: uint32,
  expiresAtMs: timeMs,
  preconditions: record<core.StepPreconditions>({
    nodeId: text,
    role: fc.constantFrom('master', 'replica', ''),
  }),
});
