import type { NodeObservation, NodeRole, OperationKind, Step } from '@redrover/core';
import { expect, test } from 'vitest';

import { preconditionsOf } from './execute-step.ts';

const host = 'h1';
const node = 'h1:6379';

function seenAs(role: NodeRole, state = 'running'): NodeObservation {
  return { process: { state }, redis: { nodeId: 'id', role } } as unknown as NodeObservation;
}

const handoff: Step = {
  kind: 'handoffMaster',
  host,
  node,
  master: 'h2:6379',
  masterNodeId: 'other',
};
const stop: Step = { kind: 'stopNode', host, node };
const forget: Step = { kind: 'forgetNodes', host, node, nodeIds: ['gone'] };

test.each<[string, Step, NodeObservation | undefined, OperationKind, string, string]>([
  ['a handoff needs a replica', handoff, seenAs('replica'), 'repair', 'id', 'replica'],
  ['a replica is stopped only as one', stop, seenAs('replica'), 'change', 'id', 'replica'],
  ['a master may be stopped by a removal', stop, seenAs('master'), 'remove', 'id', ''],
  ['a removal stops replicas whatever they became', stop, seenAs('replica'), 'remove', 'id', ''],
  ['a former master without slots is stopped as it is', stop, seenAs('master'), 'change', 'id', ''],
  ['a hung node cannot say who it is', stop, seenAs('replica', 'unresponsive'), 'repair', '', ''],
  [
    'ids are forgotten by the node that was looked at',
    forget,
    seenAs('master'),
    'repair',
    'id',
    '',
  ],
  ['a node that was never seen is not checked', stop, undefined, 'change', '', ''],
])('%s', (_what, step, seen, kind, nodeId, role) => {
  expect(preconditionsOf(step, seen, kind)).toEqual({ nodeId, role });
});
