/**
 * What the controller itself promises about plans and operations. Agents are scripted and never do
 * anything: clusters that really come to be are tested end to end.
 */
import { ClusterHealth, OperationKind, OperationState, type Plan } from '@redrover/proto';
import { clusterSpecToProto } from '@redrover/wire';
import { parseSpec } from '@redrover/core';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { ScriptedAgent } from './scripted-agent.ts';
import {
  ControllerProcess,
  dialAgents,
  dialApi,
  scratchDirectory,
  until,
  type ApiClients,
} from './support.ts';

let scratch: ReturnType<typeof scratchDirectory>;
let controller: ControllerProcess;
let api: ApiClients;
let agents: ScriptedAgent[] = [];
let agentClient: ReturnType<typeof dialAgents>;
let beating: NodeJS.Timeout | undefined;

beforeEach(async () => {
  scratch = scratchDirectory();
  await startAgain();
});

afterEach(async () => {
  hangUp();
  await controller.end();
  scratch.remove();
});

async function startAgain(): Promise<void> {
  controller = await ControllerProcess.start(scratch.path);
  api = dialApi(controller);
  agentClient = dialAgents(controller);
  agents = await Promise.all(['h1', 'h2', 'h3'].map(connect));
  const beatAll = () => Promise.all(agents.map((agent) => agent.beat().catch(() => undefined)));
  await beatAll();
  beating = setInterval(() => void beatAll(), 500);
}

function connect(host: string, index: number): Promise<ScriptedAgent> {
  const address = `127.0.0.${index + 1}`;
  return ScriptedAgent.connect(agentClient, { host, address, answersObservations: true });
}

function hangUp(): void {
  clearInterval(beating);
  for (const agent of agents) agent.drop();
  api.close();
  agentClient.close();
}

async function killAndStartAgain(): Promise<void> {
  hangUp();
  await controller.end('SIGKILL');
  await startAgain();
}

const base = { name: 'c1', release: 'redis-7.2.4', shards: 3, replicas: 1 };

function specOf(change: object = {}) {
  const parsed = parseSpec({ ...base, ...change });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return clusterSpecToProto(parsed.spec);
}

async function planOf(spec = specOf()): Promise<Plan> {
  const { result } = await api.clusters.planCluster({ spec });
  if (result.case !== 'plan') throw new Error(JSON.stringify(result.value));
  return result.value;
}

/** What something else than Redis listens on, on h1. */
async function takePorts(ports: number[]): Promise<void> {
  const [agent] = agents;
  if (agent === undefined) throw new Error('no agent');
  agent.usedPorts = ports;
  await agent.beat();
}

/** Where a plan that is made now would put nodes. */
async function portsOnH1(): Promise<number[]> {
  const nodes = (await planOf()).layout?.nodes ?? [];
  return nodes.filter((node) => node.host === 'h1').map((node) => node.port);
}

async function applyNow(spec = specOf()): Promise<string> {
  const { fingerprint } = await planOf(spec);
  const { operation } = await api.clusters.applyCluster({ spec, fingerprint });
  return operation?.id ?? '';
}

test('the same plan twice is the same plan, with steps and findings', async () => {
  const plan = await planOf();
  expect(plan.kind).toBe(OperationKind.CREATE);
  expect(plan.layout?.nodes).toHaveLength(6);
  expect(plan.rounds[0]?.steps[0]?.step.case).toBe('buildRelease');
  expect(plan.empty).toBe(false);
  const again = await planOf();
  expect(again.fingerprint).toBe(plan.fingerprint);
  expect(again.layout?.clusterId).toBe(plan.layout?.clusterId);
  expect((await planOf(specOf({ name: 'c2' }))).layout?.clusterId).not.toBe(plan.layout?.clusterId);
  expect((await api.clusters.listClusters({})).clusters).toEqual([]);
});

test('a release that nobody knows, and a spec that another program got wrong, are refused', async () => {
  const spec = specOf({ release: 'redis-99.1.2' });
  await expect(api.clusters.planCluster({ spec })).rejects.toMatchObject({
    code: 'not-found',
    message: expect.stringContaining('redrover release add'),
  });
  const wrong = { ...specOf(), shards: 0, nodeTimeoutMs: 1 };
  await expect(api.clusters.planCluster({ spec: wrong })).rejects.toMatchObject({
    code: 'invalid-argument',
    message: expect.stringMatching(/shards: [^]*nodeTimeoutMs: /),
  });
  await expect(api.clusters.planCluster({})).rejects.toMatchObject({ code: 'invalid-argument' });
});

test('where there is no layout, it says why and what would work', async () => {
  const { result } = await api.clusters.planCluster({ spec: specOf({ replicas: 3 }) });
  expect(result.case).toBe('refusal');
  if (result.case !== 'refusal') return;
  expect(result.value.reasons.length).toBeGreaterThan(0);
  expect(result.value.alternatives.length).toBeGreaterThan(0);
  const unknown = await api.clusters.planCluster({
    spec: specOf({ placement: { hosts: ['h1', 'h2', 'h9'] } }),
  });
  expect(JSON.stringify(unknown.result.value)).toContain('h9');
});

test('only what was planned and still holds is applied', async () => {
  const plan = await planOf();
  const stale = { code: 'stale-plan', message: expect.stringContaining('plan again') };
  const { fingerprint } = plan;
  await expect(
    api.clusters.applyCluster({ spec: specOf(), fingerprint: '0'.repeat(64) }),
  ).rejects.toMatchObject(stale);
  await expect(
    api.clusters.applyCluster({ spec: specOf({ nodeTimeoutMs: 9000 }), fingerprint }),
  ).rejects.toMatchObject(stale);
  // Somebody else takes a port of the layout.
  const port = plan.layout?.nodes.find((node) => node.host === 'h1')?.port ?? 0;
  await takePorts([port]);
  await until('the port to be avoided', async () => !(await portsOnH1()).includes(port));
  await expect(api.clusters.applyCluster({ spec: specOf(), fingerprint })).rejects.toMatchObject(
    stale,
  );
  expect((await api.clusters.listClusters({})).clusters).toEqual([]);
  expect((await api.operations.listOperations({})).operations).toEqual([]);
});

test('ports that are freed after the plan are no reason to refuse it', async () => {
  await takePorts([6379]);
  await until('the port to be avoided', async () => !(await portsOnH1()).includes(6379));
  const spec = specOf();
  const { fingerprint } = await planOf(spec);
  await takePorts([]);
  await until('the port to be used again', async () => (await portsOnH1()).includes(6379));
  expect((await api.clusters.applyCluster({ spec, fingerprint })).operation).toBeDefined();
});

test('what was acknowledged survives SIGKILL, and goes on by itself', async () => {
  const id = await applyNow();
  const before = await api.clusters.getCredentials({ cluster: 'c1' });
  expect(before).toMatchObject({ username: 'default' });
  expect(before.password).toMatch(/^[0-9a-f]{48}$/);
  await killAndStartAgain();
  expect((await api.clusters.getCredentials({ cluster: 'c1' })).password).toBe(before.password);
  const { clusters } = await api.clusters.listClusters({});
  expect(clusters[0]).toMatchObject({
    name: 'c1',
    nodes: 6,
    health: ClusterHealth.UNKNOWN,
    operation: { id, state: OperationState.RUNNING },
  });
  const builder = await until('the build to be asked for again', () =>
    agents.find((agent) => agent.commands.some(({ command }) => command.case === 'step')),
  );
  const { command } = await builder.nextCommand('step');
  expect(command).toMatchObject({
    value: { fence: { cluster: 'c1', operationId: id, incarnation: 1n, layoutNumber: 1 } },
  });
  expect(controller.output).not.toContain(before.password);
});

test('one operation at a time: a second apply or a removal says what is under way', async () => {
  const spec = specOf();
  const { fingerprint } = await planOf(spec);
  const attempts = await Promise.allSettled([
    api.clusters.applyCluster({ spec, fingerprint }),
    api.clusters.applyCluster({ spec, fingerprint }),
  ]);
  expect(attempts.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  const { operations } = await api.operations.listOperations({ cluster: 'c1' });
  expect(operations).toHaveLength(1);
  const refused = {
    code: 'failed-precondition',
    message: expect.stringContaining(operations[0]?.id ?? ''),
  };
  await expect(api.clusters.planCluster({ spec })).rejects.toMatchObject(refused);
  await expect(api.clusters.planRemoval({ cluster: 'c1' })).rejects.toMatchObject(refused);
});

test('another spec for a cluster that exists is refused, naming what differs', async () => {
  const id = await applyNow();
  await api.operations.cancelOperation({ operation: id });
  await until('the end', async () => (await stateOf(id)) === OperationState.CANCELLED);
  await expect(api.clusters.planCluster({ spec: specOf({ shards: 4 }) })).rejects.toMatchObject({
    code: 'failed-precondition',
    message: expect.stringMatching(/shards.*redrover cluster scale/),
  });
});

async function stateOf(operation: string): Promise<OperationState | undefined> {
  return (await api.operations.getOperation({ operation })).operation?.state;
}

test('a paused operation begins nothing, stays paused over SIGKILL, and can be resumed', async () => {
  const id = await applyNow();
  await api.operations.pauseOperation({ operation: id });
  await expect(api.operations.pauseOperation({ operation: id })).rejects.toMatchObject({
    code: 'failed-precondition',
  });
  await killAndStartAgain();
  expect(await stateOf(id)).toBe(OperationState.PAUSED);
  await api.clusters.getCluster({ cluster: 'c1' });
  expect(agents.flatMap((agent) => agent.commands)).toEqual([]);
  await api.operations.resumeOperation({ operation: id });
  await until('a step', () => agents.some((agent) => agent.commands.length > 0));
  expect(await stateOf(id)).toBe(OperationState.RUNNING);
});

test('a cancelled operation tells its agents, ends, and leaves a cluster that can be applied again', async () => {
  const id = await applyNow();
  const builder = await until('a step', () => agents.find((agent) => agent.commands.length > 0));
  const { id: command } = await builder.nextCommand('step');
  const events: string[] = [];
  const watching = (async () => {
    for await (const { event } of api.operations.watchOperation({ operation: id })) {
      if (event.case === 'operation') events.push(OperationState[event.value.state] ?? '');
      if (event.case === 'attempt') events.push(event.value.stepKey.split(' ')[0] ?? '');
    }
  })();
  await until('the first event', () => events.length > 1);
  await api.operations.cancelOperation({ operation: id });
  await watching;
  expect(events[0]).toBe('RUNNING');
  expect(events).toContain('buildRelease');
  expect(events.at(-1)).toBe('CANCELLED');
  await until('the agent to be told', () => builder.cancelled.includes(command));
  await expect(api.operations.cancelOperation({ operation: id })).rejects.toMatchObject({
    code: 'failed-precondition',
  });
  const { operation } = await api.operations.getOperation({ operation: id });
  expect(operation?.message).toContain('redrover cluster rm c1');
  const again = await planOf();
  expect(again).toMatchObject({ empty: false, layout: { number: 1 } });
  const { operation: second } = await api.clusters.applyCluster({
    spec: specOf(),
    fingerprint: again.fingerprint,
  });
  expect(second?.id).not.toBe(id);
});

test('a watch of an operation that has ended replays it and ends', async () => {
  const id = await applyNow();
  await api.operations.cancelOperation({ operation: id });
  await until('the end', async () => (await stateOf(id)) === OperationState.CANCELLED);
  const states: unknown[] = [];
  for await (const { event } of api.operations.watchOperation({ operation: id })) {
    if (event.case === 'operation') states.push(event.value.state);
  }
  expect(states).toEqual([OperationState.CANCELLED]);
  await expect(api.operations.getOperation({ operation: 'op-x' })).rejects.toMatchObject({
    code: 'not-found',
  });
});

test('a step that cannot succeed fails the operation, with what to do next', async () => {
  const id = await applyNow();
  const builder = await until('a step', () => agents.find((agent) => agent.commands.length > 0));
  const { id: command } = await builder.nextCommand('step');
  const error = { code: 'integrity', message: 'the archive has another digest', context: {} };
  await builder.answer({ id: command, error });
  await until('the end', async () => (await stateOf(id)) === OperationState.FAILED);
  const { operation, attempts } = await api.operations.getOperation({ operation: id });
  expect(operation?.message).toContain('the archive has another digest');
  expect(operation?.message).toContain('apply again');
  expect(attempts[0]).toMatchObject({ errorCode: 'integrity', message: error.message });
  await killAndStartAgain();
  expect(await stateOf(id)).toBe(OperationState.FAILED);
  const journal = (await api.operations.getOperation({ operation: id })).attempts;
  expect(journal).toEqual(attempts);
});

test('a cluster of which nothing was made is removed, and its name can be used again', async () => {
  const id = await applyNow();
  const { layout } = await api.clusters.getCluster({ cluster: 'c1' });
  await api.operations.cancelOperation({ operation: id });
  await until('the end', async () => (await stateOf(id)) === OperationState.CANCELLED);
  // A plan that is shown while it lives must not hand its id down.
  expect((await planOf()).layout?.clusterId).toBe(layout?.clusterId);
  const { plan } = await api.clusters.planRemoval({ cluster: 'c1', purge: true });
  await expect(
    api.clusters.removeCluster({ cluster: 'c1', fingerprint: plan?.fingerprint ?? '' }),
  ).rejects.toMatchObject({ code: 'stale-plan' });
  const { operation } = await api.clusters.removeCluster({
    cluster: 'c1',
    purge: true,
    fingerprint: plan?.fingerprint ?? '',
  });
  await until('the cluster to be gone', async () => {
    return (await api.clusters.listClusters({})).clusters.length === 0;
  });
  expect(await stateOf(operation?.id ?? '')).toBe(OperationState.DONE);
  await expect(api.clusters.getCredentials({ cluster: 'c1' })).rejects.toMatchObject({
    code: 'not-found',
  });
  const next = (await planOf()).layout;
  expect(next?.clusterId).not.toBe(layout?.clusterId);
  // A host that was away at the removal has accepted the old layout, and refuses what is below it.
  expect(next?.number).toBe((layout?.number ?? 0) + 1);
  expect((await api.operations.listOperations({ cluster: 'c1' })).operations).toHaveLength(2);
  expect(await applyNow()).not.toBe('');
});

test('a release that a cluster uses is not removed', async () => {
  const source = {
    source: { case: 'https' as const, value: { url: 'https://x.example/redis-7.2.4.tar.gz' } },
  };
  await api.releases.addRelease({ source });
  await applyNow();
  await expect(api.releases.removeRelease({ release: 'redis-7.2.4' })).rejects.toMatchObject({
    code: 'failed-precondition',
    message: expect.stringContaining('cluster c1'),
  });
});
