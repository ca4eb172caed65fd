/** Operations that are paused or cancelled while nodes have the short timing of a creation. */
import { sendSignal } from '@redrover/cli';
import { OperationState } from '@redrover/proto';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { TestStack } from '../support/stack.ts';
import { until } from '../support/until.ts';
import { runRedisCli } from '../support/witness.ts';

let stack: TestStack;

beforeEach(async () => {
  stack = await TestStack.start();
});

afterEach(async () => {
  // A stopped process does not heed SIGTERM.
  for (const host of stack?.hostNames ?? []) signalAgent(host, 'SIGCONT');
  await stack?.stop();
});

interface Node {
  readonly address: string;
  readonly port: number;
  readonly password: string;
}

function signalAgent(host: string, signal: NodeJS.Signals): void {
  const agent = stack.stack.agentProcess(host);
  if (agent !== undefined) sendSignal(agent, signal);
}

async function stateOf(operation: string): Promise<OperationState | undefined> {
  const answer = await stack.withApi((api) => api.operations.getOperation({ operation }));
  return answer.operation?.state;
}

/** A creation that cannot end, as the agent of h3 is silent; paused when a node of h1 runs. */
async function pauseHalfWay(): Promise<{ readonly id: string; readonly node: Node }> {
  const spec = await stack.writeSpec({ name: 'shop' });
  const apply = ['cluster', 'apply', '-f', spec, '--yes', '--detach'];
  const { id } = await stack.redroverJson<{ id: string }>(apply);
  signalAgent('h3', 'SIGSTOP');
  const running = await until('a node of h1', async () =>
    (await stack.observations('shop')).find(
      ({ host, process }) => host === 'h1' && process.state === 'running',
    ),
  );
  await stack.withApi((api) => api.operations.pauseOperation({ operation: id }));
  const { nodes } = await stack.layout('shop');
  const address = nodes.find(({ key }) => key === running.key)?.address ?? '';
  const { password } = await stack.credentials('shop');
  return { id, node: { address, port: running.port, password } };
}

async function askNode({ address, port, password }: Node, ...command: string[]): Promise<string> {
  const { text } = await runRedisCli(['-h', address, '-p', String(port), ...command], password);
  return text;
}

async function lowerTiming(node: Node): Promise<void> {
  await askNode(node, 'config', 'set', 'cluster-replica-no-failover', 'yes');
  await askNode(node, 'config', 'set', 'cluster-node-timeout', '500');
  expect(await timingOf(node)).toEqual(['500', 'yes']);
}

async function timingOf(node: Node): Promise<(string | undefined)[]> {
  const names = ['cluster-node-timeout', 'cluster-replica-no-failover'];
  const answers = names.map((name) => askNode(node, 'config', 'get', name));
  return (await Promise.all(answers)).map((text) => text.trim().split('\n')[1]);
}

test('a paused operation puts back the timing that it lowered', async () => {
  const { id, node } = await pauseHalfWay();
  await lowerTiming(node);
  // What somebody changes behind its back an agent sees within half a minute.
  const isBack = async () => (await timingOf(node)).join() === '5000,no';
  await until('the timing to be put back', isBack, 70_000);
  expect(await stateOf(id)).toBe(OperationState.PAUSED);
});

test('an operation that is cancelled before its agents are back puts back the timing', async () => {
  const { id, node } = await pauseHalfWay();
  const controller = stack.stack.controllerProcess();
  if (controller === undefined) throw new Error('no controller');
  sendSignal(controller, 'SIGKILL');
  // An agent that knows the node has read its timing before, and not what is done behind its back.
  for (const host of stack.hostNames) signalAgent(host, 'SIGKILL');
  await lowerTiming(node);
  await stack.stack.startController();
  await stack.withApi((api) => api.operations.cancelOperation({ operation: id }));
  for (const host of stack.hostNames) await stack.stack.startAgent(host);
  await until('the end', async () => (await stateOf(id)) === OperationState.CANCELLED, 60_000);
  expect(await timingOf(node)).toEqual(['5000', 'no']);
});
