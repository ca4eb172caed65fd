/** Killed in the middle of a creation: nothing is lost, nothing is done twice, the operation ends. */
import { endProcess, identifyProcess, isRunning, sendSignal } from '@redrover/cli';
import type { ProcessIdentity } from '@redrover/cli';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { connectCluster, countKeys, writeKeys } from '../support/cluster-client.ts';
import { TestStack } from '../support/stack.ts';
import { until } from '../support/until.ts';
import { askWitness } from '../support/witness.ts';

let stack: TestStack;

beforeEach(async () => {
  stack = await TestStack.start();
});

afterEach(async () => stack?.stop());

interface OperationJson {
  readonly id: string;
  readonly state: string;
  readonly message: string;
  readonly attempts: readonly { readonly stepKey: string; readonly outcome: string }[];
}

async function startCreation(): Promise<string> {
  const spec = await stack.writeSpec({ name: 'shop' });
  const { id } = await stack.redroverJson<{ id: string }>([
    'cluster',
    'apply',
    '-f',
    spec,
    '--yes',
    '--detach',
  ]);
  return id;
}

/** Resolves as soon as a step of the kind has begun. */
async function untilStep(id: string, kind: string): Promise<void> {
  await until(
    `a step ${kind}`,
    async () => {
      const { attempts } = await stack.redroverJson<OperationJson>(['op', 'show', id]);
      return attempts.some(({ stepKey }) => stepKey.startsWith(kind));
    },
    90_000,
  );
}

async function expectDone(id: string): Promise<void> {
  const watched = await stack.redrover(['op', 'watch', id]);
  expect(watched, watched.stderr).toMatchObject({ exitCode: 0 });
}

async function expectHealthy(): Promise<void> {
  const { nodes } = await stack.redroverJson<{ nodes: { address: string; port: number }[] }>([
    'cluster',
    'show',
    'shop',
  ]);
  const { password } = await stack.credentials('shop');
  const seed = { address: nodes[0]?.address ?? '', port: nodes[0]?.port ?? 0, password };
  const verdict = await askWitness(seed);
  expect(verdict, verdict.text).toMatchObject({ ok: true, masters: 3, replicas: 3 });
  const client = connectCluster(seed);
  try {
    await writeKeys(client, 'crash', 100);
    expect(await countKeys(client, 'crash', 100)).toBe(100);
  } finally {
    client.disconnect();
  }
}

function living(identity: ProcessIdentity | undefined): ProcessIdentity {
  if (identity === undefined) throw new Error('it never ran');
  return identity;
}

test.each(['prepareNode', 'startNode', 'meetNodes'])(
  'a controller that is killed during %s goes on where it was',
  async (kind) => {
    const id = await startCreation();
    await untilStep(id, kind);
    sendSignal(living(stack.stack.controllerProcess()), 'SIGKILL');
    await stack.stack.startController();
    await expectDone(id);
    await expectHealthy();
  },
);

test('a watch that loses its controller goes on when it is back', async () => {
  const id = await startCreation();
  const watching = stack.redrover(['op', 'watch', id]);
  await untilStep(id, 'prepareNode');
  sendSignal(living(stack.stack.controllerProcess()), 'SIGKILL');
  await stack.stack.startController();
  const watched = await watching;
  expect(watched, watched.stderr).toMatchObject({ exitCode: 0 });
});

test('an apply that finds the same plan under way joins it', async () => {
  const id = await startCreation();
  await untilStep(id, 'prepareNode');
  const spec = await stack.writeSpec({ name: 'shop' });
  const second = await stack.redrover(['cluster', 'apply', '-f', spec, '--yes']);
  expect(second, second.stderr).toMatchObject({ exitCode: 0 });
  const operations = await stack.redroverJson<{ id: string }[]>(['op', 'ls']);
  expect(operations.map((each) => each.id)).toEqual([id]);
});

test('an agent that is killed during a creation does its part when it is back', async () => {
  const id = await startCreation();
  await untilStep(id, 'startNode');
  sendSignal(living(stack.stack.agentProcess('h2')), 'SIGKILL');
  await stack.stack.startAgent('h2');
  await expectDone(id);
  await expectHealthy();
});

test('an agent that is killed leaves its nodes running, and adopts them when it is back', async () => {
  await expectDone(await startCreation());
  const pidsOnH1 = async (): Promise<(number | undefined)[]> => {
    const nodes = await stack.observations('shop');
    return nodes.filter(({ host }) => host === 'h1').map(({ process }) => process.pid);
  };
  const before = await pidsOnH1();
  const agent = living(stack.stack.agentProcess('h1'));
  sendSignal(agent, 'SIGKILL');
  await until('the agent is gone', () => !isRunning(agent));
  for (const pid of before) expect(() => process.kill(pid ?? 0, 0)).not.toThrow();
  await stack.stack.startAgent('h1');
  await stack.stack.waitForHosts();
  expect(await pidsOnH1()).toEqual(before);
  await expectHealthy();
});

test('a node that is killed is back within seconds', async () => {
  await expectDone(await startCreation());
  const nodes = await stack.observations('shop');
  const victim = nodes.find(({ redis }) => redis?.role === 'replica');
  const pid = victim?.process.pid ?? 0;
  process.kill(pid, 'SIGKILL');
  await until('another process in its place', async () => {
    const now = (await stack.observations('shop')).find(({ key }) => key === victim?.key);
    return (
      now?.process.state === 'running' &&
      now.process.pid !== pid &&
      now.redis?.masterLinkUp === true
    );
  });
  await expectHealthy();
});

test('a stack that is stopped leaves no process', async () => {
  await expectDone(await startCreation());
  const pids = (await stack.observations('shop')).flatMap(({ process }) => process.pid ?? []);
  const programs = [
    living(stack.stack.controllerProcess()),
    ...stack.hostNames.map((host) => living(stack.stack.agentProcess(host))),
  ];
  await stack.stack.stop();
  for (const identity of programs) expect(isRunning(identity)).toBe(false);
  expect(pids).toHaveLength(6);
  // Not by a signal: where nobody reaps orphans, the zombie of an ended process takes signals.
  for (const pid of pids) expect(identifyProcess(pid)).toBeUndefined();
  // Stopping what is stopped is fine.
  await Promise.all(programs.map((identity) => endProcess(identity, { graceMs: 100 })));
});
