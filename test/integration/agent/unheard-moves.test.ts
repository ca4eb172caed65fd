/** What a mover did that ended while nobody could hear of it is told once, with whatever is asked for next. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { attemptFromProto } from '@redrover/wire';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { until } from '../../support/until.ts';
import { AgentHarness } from './agent-harness.ts';
import { createCluster } from './cluster.ts';
import { MovingCluster } from './moving-cluster.ts';

const MASTERS = [7001, 7002, 7003];
const KEYS = 2_000;

let harness: AgentHarness;
let cluster: MovingCluster;

beforeEach(async () => {
  harness = await AgentHarness.start();
  await createCluster(harness, { masters: MASTERS, replicas: {} });
  cluster = new MovingCluster(harness, MASTERS);
});
afterEach(async () => {
  cluster?.close();
  await harness?.stop();
});

/** Of some other step of the operation, on this host. */
async function earlierMoves(operationId: string) {
  const step = { kind: 'verifyWrite', host: 'h1', node: harness.key(7_003) } as const;
  const { controller } = harness;
  const { result } = await controller.send(controller.stepCommand(step, { operationId }));
  const { result: answer } = await result;
  if (answer.case !== 'step') throw new Error(`answered with ${answer.case}`);
  return answer.value.earlierMoves.map((each) => attemptFromProto(each));
}

test.each([
  ['the controller was away', false],
  ['the controller was away and the agent was killed', true],
])('while %s', async (_what, isKilled) => {
  await cluster.fill(7_001, KEYS, { tags: ['7g', '8f', 'bl', 'cv', '1bz'] });
  const startedMs = Date.now();
  await cluster.begin({
    engine: 'migrate',
    source: 7_001,
    target: 7_002,
    slots: [{ start: 0, end: 99 }],
    options: { rateBytesPerS: 200_000 },
  });
  const { movers } = await harness.controller.heartbeat(
    'a mover',
    (beat) => beat.movers.length > 0,
  );
  const outcome = join(harness.root, 'agent', 'movers', movers[0]?.id ?? '', 'outcome.json');
  harness.controller.stop();
  if (isKilled) await harness.killAgent();
  await until('the mover to end', () => existsSync(outcome));
  await harness.controller.start();
  if (isKilled) await harness.startAgent();
  await harness.controller.heartbeat('no mover', (beat) => beat.movers.length === 0);

  expect(await earlierMoves('another operation')).toEqual([]);
  const told = await earlierMoves('op1');
  expect(told).toMatchObject([
    {
      stepKey: `moveSlots ${harness.key(7_001)} > ${harness.key(7_002)} migrate`,
      outcome: 'ok',
      move: { slotsMoved: 100, keysMoved: KEYS, quarantined: [] },
    },
  ]);
  const [attempt] = told;
  expect(attempt?.startedAtMs).toBeGreaterThanOrEqual(startedMs);
  expect(attempt?.endedAtMs).toBeGreaterThan(attempt?.startedAtMs ?? Infinity);
  expect(await earlierMoves('op1')).toEqual([]);
  await harness.killAgent();
  await harness.startAgent();
  expect(await earlierMoves('op1')).toEqual([]);
});

test('what a command waits for is told by that command alone', async () => {
  await cluster.fill(7_001, KEYS, { tags: ['7g', '8f'] });
  const slots = [{ start: 0, end: 99 }];
  const move = { engine: 'migrate', source: 7_001, target: 7_002, slots } as const;
  const { error, report } = await cluster.move(move);
  expect(error).toBeUndefined();
  expect(report?.keysMoved).toBe(KEYS);
  expect(await earlierMoves('op1')).toEqual([]);
});
