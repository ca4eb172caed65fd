import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

import {
  AgentService,
  ClusterService,
  HostService,
  OperationService,
  ReleaseService,
} from '@redrover/proto';
import { createClient } from '@redrover/wire';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { ScriptedAgent } from './scripted-agent.ts';
import {
  CONTROLLER_BUNDLE,
  ControllerProcess,
  dialAgents,
  dialApi,
  scratchDirectory,
  until,
} from './support.ts';

let scratch: ReturnType<typeof scratchDirectory>;
const running: ControllerProcess[] = [];

beforeEach(() => {
  scratch = scratchDirectory();
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((controller) => controller.end()));
  scratch.remove();
});

async function start(data = scratch.path, extra: readonly string[] = []) {
  const controller = await ControllerProcess.start(data, extra);
  running.push(controller);
  return controller;
}

function runOnce(...args: string[]) {
  const result = spawnSync(process.execPath, [CONTROLLER_BUNDLE, ...args], { encoding: 'utf8' });
  return { status: result.status, stdout: result.stdout, stderr: result.stderr };
}

test('tells where it listens, keeps its secrets to itself, and goes away tidily', async () => {
  const controller = await start();
  const { api, agents, http } = controller.endpoints;
  expect(new Set([api, agents, http]).size).toBe(3);
  for (const name of ['api-token', 'agent-token', 'controller.sqlite']) {
    expect(statSync(join(scratch.path, name)).mode & 0o777).toBe(0o600);
  }
  expect(controller.token('api')).toMatch(/^[0-9a-f]{64}$/);
  expect(controller.token('api')).not.toBe(controller.token('agent'));
  expect(await controller.end('SIGTERM')).toBe(0);
  expect(existsSync(join(scratch.path, 'endpoints.json'))).toBe(false);
  expect(existsSync(join(scratch.path, 'lock'))).toBe(false);
  expect(controller.output).not.toContain(controller.token('api'));
});

test('keeps its tokens over a restart, and refuses one that is too short to be safe', async () => {
  const first = await start();
  const token = first.token('api');
  await first.end('SIGKILL');
  const second = await start();
  expect(second.token('api')).toBe(token);
  await second.end('SIGTERM');
  writeFileSync(join(scratch.path, 'api-token'), 'secret\n');
  const refused = new ControllerProcess(scratch.path);
  expect(await refused.exitCode()).toBe(1);
  expect(refused.output).toMatch(/api-token holds no usable token .* remove the file/);
});

test('a second controller on the same data directory is refused, naming the first', async () => {
  const first = await start();
  const second = new ControllerProcess(scratch.path);
  expect(await second.exitCode()).toBe(1);
  expect(second.output).toContain(`another redrover-controller (pid ${first.pid}) uses`);
  const api = dialApi(first);
  expect((await api.hosts.listHosts({})).hosts).toEqual([]);
  api.close();
});

test('the lock of a killed controller is taken over', async () => {
  const first = await start();
  await first.end('SIGKILL');
  expect(existsSync(join(scratch.path, 'lock'))).toBe(true);
  const second = await start();
  expect(second.endpoints.pid).toBe(second.pid);
});

test('a lock of a recycled pid is not taken for a living holder', async () => {
  // This very process lives, but started at another time than the lock says.
  writeFileSync(join(scratch.path, 'lock'), `${process.pid} 1 ${'0'.repeat(36)}`);
  const controller = await start();
  expect(controller.endpoints.pid).toBe(controller.pid);
});

test.each(['api', 'agents', 'http'])('says that the port of --%s is in use', async (option) => {
  const taken = createServer();
  const port = await new Promise<number>((resolve) => {
    taken.listen(0, '127.0.0.1', () => resolve((taken.address() as { port: number }).port));
  });
  try {
    const refused = new ControllerProcess(scratch.path, [`--${option}`, `127.0.0.1:${port}`]);
    expect(await refused.exitCode()).toBe(1);
    expect(refused.output).toContain(`--${option}: cannot listen on 127.0.0.1:${port}`);
    expect(refused.output).toContain('Give another port');
    expect(existsSync(join(scratch.path, 'endpoints.json'))).toBe(false);
    expect(existsSync(join(scratch.path, 'lock'))).toBe(false);
  } finally {
    taken.close();
  }
});

test('binds beyond loopback only when the risk was accepted by name', async () => {
  const refused = runOnce('run', '--data', scratch.path, '--api', '0.0.0.0:0');
  expect(refused.status).toBe(1);
  expect(refused.stderr).toMatch(/not encrypted yet .* --insecure-bind/);
  const controller = await start(scratch.path, ['--api', '0.0.0.0:0', '--insecure-bind']);
  expect(controller.endpoints.api).toMatch(/^0\.0\.0\.0:\d+$/);
});

test.each([
  [['run'], '--data'],
  [['run', '--data', 'x', '--api', 'nonsense'], 'expected ADDRESS:PORT'],
  [['run', '--data', 'x', '--api', '127.0.0.1:70000'], 'expected ADDRESS:PORT'],
  [['run', '--data', 'x', '--log-level', 'loud'], '--log-level'],
  [['walk'], 'walk'],
])('ends with 64 for %j', (args, said) => {
  const { status, stderr } = runOnce(...args);
  expect(status).toBe(64);
  expect(stderr).toContain(said);
  expect(stderr).not.toContain('    at ');
});

test('a data directory that cannot be made, and a file that is no database, are told apart', () => {
  writeFileSync(join(scratch.path, 'file'), '');
  const inFile = runOnce('run', '--data', join(scratch.path, 'file', 'data'));
  expect(inFile.status).toBe(1);
  expect(inFile.stderr).toContain('choose another --data directory');
  writeFileSync(join(scratch.path, 'controller.sqlite'), 'this is not a database'.repeat(100));
  const damaged = runOnce('run', '--data', scratch.path, '--api', '127.0.0.1:0');
  expect(damaged.status).toBe(1);
  expect(damaged.stderr).toMatch(/damaged or not a database; restore a backup/);
  expect(readFileSync(join(scratch.path, 'controller.sqlite'), 'utf8')).toContain('this is not');
});

describe('tokens', () => {
  const services = [HostService, ReleaseService, ClusterService, OperationService];
  const calls = [...services, AgentService].flatMap((service) =>
    service.methods.map((method) => [service.typeName, method.name, { service, method }] as const),
  );

  test('no method of any service answers without the token of its listener', async () => {
    const controller = await start();
    const { api, agents } = controller.endpoints;
    for (const token of [undefined, 'wrong', controller.token('agent')]) {
      for (const [typeName, name, { service, method }] of calls) {
        const isAgents = typeName === AgentService.typeName;
        const used =
          isAgents && token === controller.token('agent') ? controller.token('api') : token;
        const client = createClient(service as typeof HostService, isAgents ? agents : api, {
          token: used,
        });
        const error = await callOnce(client, method.localName, method.methodKind);
        expect(error, `${typeName}/${name}`).toMatchObject({ code: 'unauthenticated' });
        client.close();
      }
    }
    // It still serves those who have it.
    const clients = dialApi(controller);
    expect((await clients.hosts.listHosts({})).hosts).toEqual([]);
    clients.close();
  });
});

/** Calls any kind of method with an empty request, and returns what it threw. */
async function callOnce(client: object, name: string, kind: string): Promise<unknown> {
  const call = (client as Record<string, (...args: unknown[]) => never>)[name]?.bind(client);
  const options = { timeoutMs: 5000 };
  try {
    if (kind === 'unary') await call?.({}, options);
    if (kind === 'client_streaming') await call?.((async function* () {})(), options);
    if (kind === 'server_streaming') for await (const _ of call?.({}, options) ?? []) break;
    if (kind === 'bidi_streaming') {
      const { messages } = (call?.(options) ?? {}) as { messages: AsyncIterable<unknown> };
      for await (const _ of messages) break;
    }
    return undefined;
  } catch (error) {
    return error;
  }
}

describe('takeover', () => {
  test('raises the incarnation above what agents follow, so that they obey again', async () => {
    const first = await start();
    const agents = dialAgents(first);
    const agent = await ScriptedAgent.connect(agents, { host: 'h1', incarnation: 6n });
    expect(agent.welcome?.incarnation).toBe(1n);
    agent.drop();
    agents.close();
    const refused = runOnce('takeover', '--data', scratch.path);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain(`pid ${first.pid}`);
    await first.end('SIGTERM');
    const taken = runOnce('takeover', '--data', scratch.path);
    expect(taken).toMatchObject({
      status: 0,
      stdout: 'incarnation is now 7; start the controller\n',
    });
    const second = await start();
    const client = dialAgents(second);
    const again = await ScriptedAgent.connect(client, { host: 'h1', incarnation: 6n });
    expect(again.welcome?.incarnation).toBe(7n);
    const api = dialApi(second);
    const checking = api.hosts.checkHost({ host: 'h1' });
    const { id } = await again.nextCommand('checkTuning');
    await again.answer({ id, result: { case: 'tuning', value: { items: [] } } });
    expect((await checking).items).toEqual([]);
    api.close();
    again.drop();
    client.close();
  });

  test('an empty directory is no backup', () => {
    const { status, stderr } = runOnce('takeover', '--data', scratch.path);
    expect(status).toBe(1);
    expect(stderr).toContain('restore the backup there first');
  });
});

test('hosts are known after a restart, as lost ones until their agents are back', async () => {
  const first = await start();
  const agents = dialAgents(first);
  const agent = await ScriptedAgent.connect(agents, { host: 'h1', address: '127.0.0.7' });
  await first.end('SIGKILL');
  await until('the end of the session', () => agent.ended);
  agents.close();
  const second = await start();
  const api = dialApi(second);
  const { host } = await api.hosts.getHost({ host: 'h1' });
  expect(host).toMatchObject({ name: 'h1', address: '127.0.0.7', labels: { zone: 'a' } });
  expect(host?.facts?.platform).toBe('linux-x86_64-glibc2.36-debian12');
  await until('lost', async () => (await api.hosts.getHost({ host: 'h1' })).host?.status === 3);
  api.close();
});

test('serves health and metrics', async () => {
  const controller = await start();
  const agents = dialAgents(controller);
  const agent = await ScriptedAgent.connect(agents, { host: 'h1' });
  await agent.beat({ agentRssBytes: 12345n });
  const { http } = controller.endpoints;
  const health = await fetch(`http://${http}/healthz`);
  expect([health.status, await health.json()]).toEqual([200, { status: 'ok' }]);
  const text = await until('the heartbeat', async () => {
    const metrics = await (await fetch(`http://${http}/metrics`)).text();
    return metrics.includes('redrover_agent_rss_bytes{host="h1"} 12345') ? metrics : undefined;
  });
  expect(text).toContain('redrover_hosts{status="online"} 1');
  expect(text).toContain('redrover_operations_under_way 0');
  const named = [...text.matchAll(/^# TYPE (redrover_(?!controller_)\w+)/gm)].map(
    ([, name]) => name,
  );
  const page = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8');
  const documented = [...page.matchAll(/^\| `(redrover_\w+)`/gm)].map(([, name]) => name);
  expect(named.toSorted()).toEqual(documented.toSorted());
  expect((await fetch(`http://${http}/nothing`)).status).toBe(404);
  agent.drop();
  agents.close();
});
