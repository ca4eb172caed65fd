/** What the agent obeys, and what becomes of work when the connection breaks. */
import { commandErrorFromProto } from '@redrover/wire';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { until } from '../../support/until.ts';
import { AgentHarness, cachedBuilds, PASSWORD } from './agent-harness.ts';
import { createCluster, targetOf } from './cluster.ts';

let harness: AgentHarness;

beforeAll(async () => {
  harness = await AgentHarness.start();
});
afterAll(() => harness?.stop());

describe('a session', () => {
  test('begins with the facts of the host', async () => {
    const hello = await harness.controller.connected();
    expect(hello).toMatchObject({ host: 'h1', address: harness.address, incarnation: 0n });
    expect(hello.facts?.cores).toBeGreaterThan(0);
    expect(hello.builds).toHaveLength(cachedBuilds().length);
  });

  test('reports nodes by hash, and the used ports of others alone', async () => {
    await harness.run(harness.plan(7001));
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(7999, harness.address, resolve));
    try {
      const beat = await harness.controller.heartbeat('the foreign port in a heartbeat', (seen) =>
        seen.usedPorts.includes(7999),
      );
      expect(beat.usedPorts).not.toContain(7001);
      expect(beat.usedPorts).not.toContain(17001);
      expect(beat.nodes[0]?.redis?.view).toMatchObject({ nodes: [] });
      expect(beat.nodes[0]?.redis?.view?.hash).toMatch(/^[0-9a-f]{16}$/);
      expect(beat.builds).toHaveLength(cachedBuilds().length);
      expect(beat.agentRssBytes).toBeGreaterThan(0n);
      const views = await harness.controller.wantViews([beat.nodes[0]?.redis?.view?.hash ?? '']);
      expect(views[0]?.nodes).toHaveLength(1);
    } finally {
      other.close();
    }
  });

  test('gives the last lines of a log', async () => {
    const { result } = await harness.controller.send({
      case: 'tailLog',
      value: { node: harness.key(7001), lines: 3 },
    });
    const answer = (await result).result;
    expect(answer.case === 'log' && answer.value.lines).toHaveLength(3);
    expect(answer.case === 'log' && answer.value.lines.join('\n')).toMatch(/Ready to accept/);
  });

  test('is dialled again when it breaks, by the same run of the agent', async () => {
    const [first] = harness.controller.hellos;
    const before = harness.controller.hellos.length;
    harness.controller.stop();
    await harness.controller.start();
    const hello = await harness.controller.connected(before + 1);
    expect(hello.agentRunId).toBe(first?.agentRunId);
  });

  test('brings the result of a command that ended while it was broken', async () => {
    // A hanging server is stopped by SIGKILL, ten seconds after SIGTERM: time enough for the cut.
    harness.signal(7001, 'SIGSTOP');
    const step = { kind: 'stopNode', host: 'h1', node: harness.key(7001) } as const;
    const before = harness.controller.hellos.length;
    const { result } = await harness.controller.send(harness.controller.stepCommand(step));
    harness.controller.stop();
    await until('the server to be killed', () => harness.serverPids().length === 0);
    await harness.controller.start();
    await harness.controller.connected(before + 1);
    const { error, result: answer } = await result;
    expect(error).toBeUndefined();
    expect(answer.case === 'step' && answer.value.message).toBe('stopped by SIGKILL');
    await harness.run(harness.plan(7001));
  });
});

describe('a command', () => {
  const node = () => harness.key(7001);
  const verify = () => ({ kind: 'verifyWrite', host: 'h1', node: node() }) as const;

  test('for another host is refused', async () => {
    const step = { ...verify(), host: 'h2' };
    await expect(harness.controller.step(step)).rejects.toMatchObject({ code: 'invalid-argument' });
  });

  test('that has expired is fenced', async () => {
    const expired = harness.controller.step(verify(), { expiresAtMs: Date.now() - 1 });
    await expect(expired).rejects.toMatchObject({ code: 'fenced' });
  });

  test('whose preconditions do not hold is fenced', async () => {
    const [seen] = await harness.controller.observe([node()]);
    const nodeId = seen?.redis?.nodeId ?? '';
    const replica = harness.controller.step(verify(), {
      preconditions: { nodeId, role: 'replica' },
    });
    await expect(replica).rejects.toMatchObject({ code: 'fenced' });
    const stranger = { nodeId: 'f'.repeat(40), role: 'master' } as const;
    await expect(
      harness.controller.step(verify(), { preconditions: stranger }),
    ).rejects.toMatchObject({ code: 'fenced' });
    // Both hold: the step itself is reached, and refuses for a reason of its own.
    await expect(
      harness.controller.step(verify(), { preconditions: { nodeId, role: 'master' } }),
    ).rejects.toMatchObject({ code: 'failed-precondition' });
  });

  test('of an older layout or incarnation is fenced, also after a restart of the agent', async () => {
    const plan = harness.plan(7001, { layoutNumber: 3 });
    const prepare = { kind: 'prepareNode', host: 'h1', plan } as const;
    const newer = { layoutNumber: 3, incarnation: 5, password: PASSWORD };
    await harness.controller.step(prepare, newer);
    await harness.killAgent('SIGKILL');
    harness.controller.incarnation = 5;
    await harness.startAgent();
    expect(harness.controller.hellos.at(-1)?.incarnation).toBe(5n);
    const older = harness.controller.step(verify(), { layoutNumber: 2 });
    await expect(older).rejects.toMatchObject({
      code: 'fenced',
      message: expect.stringContaining('layout 3 already'),
    });
    const restored = harness.controller.step(verify(), { layoutNumber: 3, incarnation: 4 });
    await expect(restored).rejects.toMatchObject({
      code: 'fenced',
      message: expect.stringContaining('redrover-controller takeover'),
    });
  });

  test('that is cancelled ends at once', async () => {
    harness.signal(7001, 'SIGSTOP');
    const stop = { kind: 'stopNode', host: 'h1', node: node() } as const;
    const command = harness.controller.stepCommand(stop, { layoutNumber: 3 });
    const { id, result } = await harness.controller.send(command);
    await harness.controller.cancel(id);
    const { error } = await result;
    expect(error && commandErrorFromProto(error)).toMatchObject({ code: 'cancelled' });
    harness.signal(7001, 'SIGCONT');
    await harness.inState(7001, 'running');
  });

  test('that takes longer than its deadline says so', async () => {
    harness.signal(7001, 'SIGSTOP');
    const stop = { kind: 'stopNode', host: 'h1', node: node() } as const;
    const command = harness.controller.stepCommand(stop, { layoutNumber: 3 });
    const { result } = await harness.controller.send(command, 500);
    const { error } = await result;
    expect(error && commandErrorFromProto(error)).toMatchObject({ code: 'deadline-exceeded' });
    harness.signal(7001, 'SIGCONT');
    await harness.inState(7001, 'running');
  });
});

describe('the steps of a creation', () => {
  test('are done again without any effect', async () => {
    const cluster = await AgentHarness.start();
    try {
      await createCluster(cluster, { masters: [7001, 7002, 7003], replicas: { 7004: 7001 } });
      const host = 'h1';
      const key = cluster.key(7001);
      const seen = await cluster.controller.observe();
      const masterNodeId = seen.find((one) => one.key === key)?.redis?.nodeId ?? '';
      const slots = [{ start: 0, end: 5_460 }];
      const claim = { kind: 'claimSlots', host, node: key, configEpoch: 1, slots } as const;
      await cluster.controller.step(claim);
      const replica = cluster.key(7004);
      const attach = {
        kind: 'attachReplica',
        host,
        node: replica,
        master: key,
        masterNodeId,
      } as const;
      await cluster.controller.step(attach);
      const peers = [targetOf(cluster, 7002)];
      await cluster.controller.step({ kind: 'meetNodes', host, node: key, peers });
      const write = { kind: 'verifyWrite', host, node: key } as const;
      const { message } = await cluster.controller.step(write);
      expect(message).toBe('wrote, read back and removed a key');
      const after = await cluster.controller.observe();
      expect(after.map((one) => one.redis?.view.hash)).toEqual(
        seen.map((one) => one.redis?.view.hash),
      );
      expect(after.find((one) => one.key === key)?.redis?.keys).toBe(0);
    } finally {
      await cluster.stop();
    }
  });

  test('refuse what would harm', async () => {
    const cluster = await AgentHarness.start();
    try {
      await createCluster(cluster, { masters: [7001, 7002, 7003], replicas: { 7004: 7001 } });
      const host = 'h1';
      const node = cluster.key(7001);
      const { controller } = cluster;
      const slots = [{ start: 5_460, end: 5_462 }];
      await expect(
        controller.step({ kind: 'claimSlots', host, node, configEpoch: 0, slots }),
      ).rejects.toMatchObject({
        code: 'failed-precondition',
        message: expect.stringContaining(`${cluster.address}:7002 owns it`),
      });
      const [second] = await controller.observe([cluster.key(7002)]);
      const master = cluster.key(7002);
      const masterNodeId = second?.redis?.nodeId ?? '';
      await expect(
        controller.step({ kind: 'attachReplica', host, node, master, masterNodeId }),
      ).rejects.toMatchObject({ code: 'failed-precondition' });
      await expect(
        controller.step({ kind: 'verifyWrite', host, node: cluster.key(7004) }),
      ).rejects.toMatchObject({ code: 'failed-precondition' });
      const timing = { nodeTimeoutMs: 500, replicaNoFailover: false };
      await expect(
        controller.step({ kind: 'setTiming', host, node, ...timing }),
      ).rejects.toMatchObject({ code: 'invalid-argument' });
    } finally {
      await cluster.stop();
    }
  });

  test('a blocked port is named with its reason', async () => {
    const targets = [targetOf(harness, 7001), targetOf(harness, 7777)];
    await expect(
      harness.controller.step({ kind: 'probeMesh', host: 'h1', targets }, { layoutNumber: 3 }),
    ).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(
        /h1 → .*:17777 \(bus\): refused.*\n?.*:7777 \(data\): refused/,
      ),
    });
  });

  test('timing is changed in memory and comes back with a restart', async () => {
    const node = harness.key(7001);
    const lower = { kind: 'setTiming', host: 'h1', node, nodeTimeoutMs: 500 } as const;
    const { nodes } = await harness.controller.step(
      { ...lower, replicaNoFailover: true },
      { layoutNumber: 3 },
    );
    expect(nodes[0]?.redis).toMatchObject({ nodeTimeoutMs: 500, replicaNoFailover: true });
    harness.signal(7001, 'SIGKILL');
    await harness.controller.heartbeat('the restart', (beat) =>
      beat.nodes.some((one) => one.key === node && one.process?.restarts === 1),
    );
    const seen = await harness.inState(7001, 'running');
    expect(seen.redis).toMatchObject({ nodeTimeoutMs: 2_000, replicaNoFailover: false });
  });
});
