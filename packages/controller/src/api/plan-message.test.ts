import { toBinary } from '@bufbuild/protobuf';
import {
  DEFAULT_MOVE_OPTIONS,
  type ClusterSpec,
  type Layout,
  type LayoutNode,
  type Release,
  type Step,
} from '@redrover/core';
import { PlanSchema } from '@redrover/proto';
import { MAX_MESSAGE_BYTES } from '@redrover/wire';
import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';

import type { ClusterPlan } from '../clusters/cluster-plan.ts';
import { planToProto } from './plan-message.ts';

function nodeAt(index: number): LayoutNode {
  const host = `redis-host-${index % 200}`;
  const port = 6379 + Math.floor(index / 200);
  const preferredRole = index % 2 === 0 ? 'master' : 'replica';
  const shard = `s${Math.floor(index / 2) + 1}`;
  const address = `10.0.0.${index % 200}`;
  const key = `${host}:${port}`;
  return { key, host, address, port, busPort: port + 10_000, shard, preferredRole, configEpoch: 1 };
}

function planOf(count: number): ClusterPlan {
  const nodes = Array.from({ length: count }, (_, index) => nodeAt(index));
  const targets = nodes.map(({ key: node, address, port, busPort }) => ({
    node,
    address,
    port,
    busPort,
  }));
  const meets = nodes.map(({ host, key }, index): Step => {
    const peers = targets.slice(index + 1);
    return { kind: 'meetNodes', host, node: key, peers };
  });
  const hosts = [...new Set(nodes.map(({ host }) => host))];
  const probes = hosts.map((host): Step => ({ kind: 'probeMesh', host, targets }));
  const layout = { cluster: 'big', clusterId: 'c', number: 1, release: 'r', shards: [], nodes };
  return {
    kind: 'create',
    layout: { ...layout, nodeTimeoutMs: 5000, config: {}, drainedHosts: [] } as unknown as Layout,
    spec: {} as ClusterSpec,
    release: {} as Release,
    forecast: { rounds: [probes, meets], waits: [], blockers: [], decisions: [], complete: true },
    findings: [],
    fingerprint: 'f',
    empty: false,
    currentLayoutNumber: 0,
    reason: '',
    move: DEFAULT_MOVE_OPTIONS,
    moves: [],
    former: [],
  };
}

function messageOf(count: number) {
  return create(PlanSchema, planToProto(planOf(count)));
}

test('the plan of the largest cluster fits into a message, with every step of it', () => {
  const message = messageOf(1000);
  expect(toBinary(PlanSchema, message).length).toBeLessThan(MAX_MESSAGE_BYTES / 4);
  expect(message.rounds.map(({ steps }) => steps.length)).toEqual([200, 1000]);
});

test('the plan of an ordinary cluster names everybody whom each node meets', () => {
  const [, meets] = messageOf(6).rounds;
  const counts = meets?.steps.map(({ step }) =>
    step.case === 'meetNodes' ? step.value.peers.length : undefined,
  );
  expect(counts).toEqual([5, 4, 3, 2, 1, 0]);
});
