import { clusterViewOf } from '@redrover/core';
import { HostStatus } from '@redrover/proto';
import type { AgentService } from '@redrover/proto';
import { clusterViewToProto, type Client } from '@redrover/wire';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { ScriptedAgent } from './scripted-agent.ts';
import {
  ControllerProcess,
  dialAgents,
  dialApi,
  scratchDirectory,
  until,
  type ApiClients,
} from './support.ts';

const scratch = scratchDirectory();
let controller: ControllerProcess;
let api: ApiClients;
let agents: Client<typeof AgentService>;

beforeAll(async () => {
  controller = await ControllerProcess.start(scratch.path);
  api = dialApi(controller);
  agents = dialAgents(controller);
});

afterAll(async () => {
  api?.close();
  agents?.close();
  await controller?.end();
  scratch.remove();
});

async function statusOf(host: string): Promise<HostStatus | undefined> {
  const { hosts } = await api.hosts.listHosts({});
  return hosts.find((entry) => entry.name === host)?.status;
}

test('a host is known from its hello on, and lost after three silent seconds', async () => {
  const agent = await ScriptedAgent.connect(agents, { host: 'silent', address: '127.0.0.9' });
  expect(agent.welcome?.incarnation).toBe(1n);
  expect(agent.welcome?.heartbeatIntervalMs).toBe(1000);
  const { host } = await api.hosts.getHost({ host: 'silent' });
  expect(host?.address).toBe('127.0.0.9');
  expect(host?.labels).toEqual({ zone: 'a' });
  expect(host?.facts?.memoryBytes).toBe(8n * 1024n ** 3n);
  expect(await statusOf('silent')).toBe(HostStatus.ONLINE);
  await until('suspect', async () => (await statusOf('silent')) === HostStatus.SUSPECT, 5000);
  await until('lost', async () => (await statusOf('silent')) === HostStatus.LOST, 5000);
  await agent.beat();
  await until('online again', async () => (await statusOf('silent')) === HostStatus.ONLINE, 2000);
  agent.drop();
});

test('a second agent of the same name is refused while the first one lives', async () => {
  const first = await ScriptedAgent.connect(agents, { host: 'twin', runId: 'one' });
  await first.beat();
  await expect(ScriptedAgent.connect(agents, { host: 'twin', runId: 'two' })).rejects.toMatchObject(
    { code: 'already-exists', message: expect.stringContaining('--host') },
  );
  expect(first.ended).toBeUndefined();
  first.drop();
});

test('a restarted agent gets in at once when its old stream is dead', async () => {
  const first = await ScriptedAgent.connect(agents, { host: 'reborn', runId: 'one' });
  first.drop();
  const second = await until(
    'the second session',
    () => ScriptedAgent.connect(agents, { host: 'reborn', runId: 'two' }).catch(() => undefined),
    1000,
  );
  expect(second.welcome).toBeDefined();
  second.drop();
});

test('the same run of an agent may open a new session, which ends its old one', async () => {
  const first = await ScriptedAgent.connect(agents, { host: 'again', runId: 'one' });
  const second = await ScriptedAgent.connect(agents, { host: 'again', runId: 'one' });
  await until('the end of the first session', () => first.ended);
  expect(first.ended?.error).toMatchObject({ code: 'unavailable' });
  expect(second.ended).toBeUndefined();
  second.drop();
});

test('a command reaches its host and its result comes back', async () => {
  const agent = await ScriptedAgent.connect(agents, { host: 'tuned' });
  const checking = api.hosts.checkHost({ host: 'tuned' });
  const command = await agent.nextCommand('checkTuning');
  expect(Number(command.deadline?.seconds) * 1000).toBeGreaterThan(Date.now());
  const item = { name: 'nofile', found: '1024', wanted: '65535', source: 'limits.d', state: 2 };
  await agent.answer({ id: command.id, result: { case: 'tuning', value: { items: [item] } } });
  expect((await checking).items[0]).toMatchObject(item);
  agent.drop();
});

test("an agent's error arrives at the client with its own code and context", async () => {
  const agent = await ScriptedAgent.connect(agents, { host: 'failing' });
  const tuning = api.hosts.tuneHost({ host: 'failing' });
  const { id } = await agent.nextCommand('applyTuning');
  const error = { code: 'permission-denied', message: 'run as root', context: { file: '/etc/x' } };
  await agent.answer({ id, error });
  await expect(tuning).rejects.toMatchObject(error);
  agent.drop();
});

test('a command under way fails as unavailable when the session drops', async () => {
  const agent = await ScriptedAgent.connect(agents, { host: 'dropping' });
  const checking = api.hosts.checkHost({ host: 'dropping' });
  await agent.nextCommand('checkTuning');
  agent.drop();
  await expect(checking).rejects.toMatchObject({ code: 'unavailable' });
});

test('commanding an unknown host and one that is not connected are told apart', async () => {
  await expect(api.hosts.checkHost({ host: 'nobody' })).rejects.toMatchObject({
    code: 'not-found',
    message: expect.stringContaining('redrover host ls'),
  });
  const agent = await ScriptedAgent.connect(agents, { host: 'gone' });
  agent.drop();
  await until('the end of the session', async () => {
    const failure = await api.hosts.checkHost({ host: 'gone' }, { timeoutMs: 300 }).catch((e) => e);
    return failure.code === 'unavailable';
  });
});

test('an agent that follows a newer incarnation is seen but not commanded', async () => {
  const agent = await ScriptedAgent.connect(agents, { host: 'newer', incarnation: 7n });
  expect(await statusOf('newer')).toBe(HostStatus.ONLINE);
  await expect(api.hosts.checkHost({ host: 'newer' })).rejects.toMatchObject({
    code: 'fenced',
    message: expect.stringContaining('redrover-controller takeover'),
  });
  expect(agent.commands).toEqual([]);
  agent.drop();
});

test('numbers that nobody can count end the session, and spoil no list of hosts', async () => {
  const agent = await ScriptedAgent.connect(agents, { host: 'h1' });
  await agent.beat({ agentRssBytes: 2n ** 64n - 1n, diskFreeBytes: 2n ** 64n - 1n });
  await until('the end of the session', () => agent.ended);
  expect(agent.ended?.error).toMatchObject({
    code: 'invalid-argument',
    message: expect.stringContaining('heartbeat.diskFreeBytes'),
  });
  expect((await api.hosts.listHosts({})).hosts).not.toHaveLength(0);
  const incarnation = 2n ** 64n - 1n;
  await expect(ScriptedAgent.connect(agents, { host: 'h2', incarnation })).rejects.toMatchObject({
    code: 'invalid-argument',
  });
});

test('only views that nobody has sent yet are asked for', async () => {
  const agent = await ScriptedAgent.connect(agents, { host: 'viewer' });
  const nodeId = 'a'.repeat(40);
  const lists = { flags: ['master'], slots: [], migrating: [], importing: [] };
  const entry = { nodeId, address: '127.0.0.1', port: 6379, busPort: 16379, masterId: '' };
  const view = clusterViewOf([{ ...entry, ...lists, configEpoch: 1, connected: true }]);
  const { hash } = view;
  const beat = () =>
    agent.beat({
      nodes: [
        {
          key: 'viewer:6379',
          host: 'viewer',
          port: 6379,
          observedAt: { seconds: BigInt(Math.floor(Date.now() / 1000)), nanos: 0 },
          process: { state: 5, pid: 1 },
          redis: { nodeId, role: 1, view: { hash, nodes: [] } },
        },
      ],
    });
  await beat();
  await until('the question for the view', () => agent.viewsWanted.includes(hash));
  const nodesOf = async () => (await api.hosts.getHost({ host: 'viewer' })).host?.nodes ?? [];
  expect(await nodesOf()).toHaveLength(0);
  await agent.send({ case: 'views', value: { views: [clusterViewToProto(view)] } });
  await until('the node', async () => (await nodesOf())[0]?.redis?.view?.hash === hash);
  await beat();
  await agent.beat({ nodes: [] });
  await until('the node to be gone', async () => (await nodesOf()).length === 0);
  expect(agent.viewsWanted).toEqual([hash]);
  agent.drop();
});

test('a stream that does not begin with a hello is ended with the reason', async () => {
  const call = agents.session();
  await call.send({ message: { case: 'views', value: { views: [] } } });
  const read = async () => {
    for await (const message of call.messages) expect(message).toBeUndefined();
  };
  await expect(read()).rejects.toMatchObject({ code: 'invalid-argument' });
});
