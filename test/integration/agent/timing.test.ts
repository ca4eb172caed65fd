/** The short node timeout of a creation does not outlive its controller. */
import { afterEach, beforeEach, expect, test } from 'vitest';

import { until } from '../../support/until.ts';
import { runRedisCli } from '../../support/witness.ts';
import { AgentHarness, PASSWORD } from './agent-harness.ts';

/** The agent waits half a minute for a controller to do it. */
const PUT_BACK_TIMEOUT_MS = 60_000;

let harness: AgentHarness;

beforeEach(async () => {
  harness = await AgentHarness.start();
});
afterEach(() => harness?.stop());

async function setTiming(port: number, nodeTimeoutMs: number): Promise<void> {
  const node = harness.key(port);
  const step = { kind: 'setTiming', host: 'h1', node, nodeTimeoutMs, replicaNoFailover: true };
  await harness.controller.step(step as Parameters<typeof harness.controller.step>[0]);
}

async function timingOf(port: number): Promise<string> {
  const ask = async (option: string): Promise<string> => {
    const args = ['-h', harness.address, '-p', String(port), 'config', 'get', option];
    return (await runRedisCli(args, PASSWORD)).text.trim().split('\n')[1] ?? '';
  };
  return `${await ask('cluster-node-timeout')} ${await ask('cluster-replica-no-failover')}`;
}

test('is put back by the agent when the controller is gone', async () => {
  const ports = [7001, 7002];
  for (const port of ports) await harness.run(harness.plan(port));
  await setTiming(7001, 500);
  // What an operator may want for a while is not touched.
  await setTiming(7002, 2_000);
  harness.controller.stop();
  expect(await timingOf(7001)).toBe('500 yes');
  const isBack = async () => (await timingOf(7001)) === '2000 no';
  await until('the timing to be put back', isBack, PUT_BACK_TIMEOUT_MS);
  expect(await timingOf(7002)).toBe('2000 yes');
});

test('is put back by the next agent when both are gone', async () => {
  await harness.run(harness.plan(7001));
  await setTiming(7001, 500);
  await harness.killAgent('SIGKILL');
  harness.controller.stop();
  harness.spawnAgent();
  expect(await timingOf(7001)).toBe('500 yes');
  const isBack = async () => (await timingOf(7001)) === '2000 no';
  await until('the timing to be put back', isBack, PUT_BACK_TIMEOUT_MS);
});
