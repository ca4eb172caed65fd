/**
 * Processes that do not do what they should: agents that are gone, servers that hang, ignore
 * signals, or end as soon as they start.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { ClusterInLab, LANES } from './cluster-in-lab.ts';
import { Lab } from './lab.ts';
import { reasonToSkipLab } from './skip-reason.ts';

const reason = await reasonToSkipLab();

const NODE_TIMEOUT_MS = 2_000;
// What a busy machine may take for a write; whether anybody took over is told by the roles.
const BUSY_MS = 5_000;

// SHUTDOWN is not tried on a server that does not answer; then SIGTERM has 10 s, SIGKILL 5 s.
const HARD_STOP_MS = 30_000;

describe.skipIf(reason !== '')('a process that is stuck', () => {
  let lab: Lab;
  let cluster: ClusterInLab;

  beforeAll(async () => {
    lab = await Lab.start({ hosts: 3 });
    cluster = await ClusterInLab.create(lab, { name: 'stuck', nodeTimeoutMs: NODE_TIMEOUT_MS });
  });

  afterEach(() => cluster.endClients());
  afterAll(async () => lab?.stop());

  test('its agent gone, a host goes on serving; the agent takes its nodes over again', async () => {
    const processes = await cluster.processes();
    const client = await cluster.client('agent');
    const mark = client.mark();
    await lab.killAgent('h2');
    const lost = await cluster.finding('host-lost', 'h2');
    expect(lost.remedy).toContain('redrover host show h2');
    await client.writesAgain();
    await lab.startAgent('h2');
    await lab.waitForHosts();
    await cluster.whole();
    const { gapMs } = await client.gapSince(mark);
    expect(gapMs).toBeLessThan(BUSY_MS);
    expect(await cluster.processes()).toEqual(processes);
    for (const node of (await cluster.nodes()).filter(({ host }) => host === 'h2')) {
      expect(node).toMatchObject({ state: 'running', restarts: 0, pid: processes[node.key] });
    }
    expect(await client.stop()).toMatchObject({ lostCount: 0, unread: 0, readMisses: [] });
  });

  test('a master that hangs is replaced by its replica, and started anew by a repair', async () => {
    const processes = await cluster.processes();
    const master = await cluster.nodeOn('h2', 'master');
    const client = await cluster.client('hung');
    const mark = client.mark();
    await lab.pause('h2', processes[master.key] ?? 0);
    await client.writesAgain();
    const { gapMs } = await client.gapSince(mark);
    console.log(`a master hangs: no write for ${Math.round(gapMs)} ms`);
    const hung = await cluster.finding('node-unresponsive', master.key);
    expect(hung.remedy).toContain('redrover cluster repair stuck');
    await cluster.repair();
    await cluster.whole();
    const after = await cluster.processes();
    expect(after[master.key]).not.toBe(processes[master.key]);
    expect({ ...after, [master.key]: 0 }).toEqual({ ...processes, [master.key]: 0 });
    expect((await cluster.node(master)).id).toBe(master.id);
    const { lostCount, unread } = await client.stop();
    expect(lostCount).toBeLessThanOrEqual(LANES);
    expect(unread).toBe(0);
  });

  test('a server that ignores SIGTERM is stopped for a drain within its deadlines', async () => {
    const replica = await cluster.nodeOn('h3', 'replica');
    const client = await cluster.client('deaf');
    await lab.pause('h3', await lab.nodePid('h3', replica.port));
    const began = performance.now();
    await cluster.drain('h3');
    expect(performance.now() - began).toBeLessThan(HARD_STOP_MS);
    const processes = await cluster.processes();
    expect(Object.keys(processes).filter((key) => key.startsWith('h3:'))).toEqual([]);
    expect(await cluster.node(replica)).toMatchObject({
      state: 'stopped',
      reason: 'stopped by SIGKILL',
    });
    await cluster.undrain('h3');
    await cluster.whole();
    // Every handoff of it was planned: nothing may be lost.
    expect(await client.stop()).toMatchObject({ lostCount: 0, unread: 0, readMisses: [] });
  });

  test('a master that ends on each start is seen as such, left in peace, and made anew', async () => {
    const master = await cluster.nodeOn('h1', 'master');
    const directory = `/usr/local/redis/${master.port}`;
    const client = await cluster.client('loop');
    const pid = await lab.nodePid('h1', master.port);
    await lab.exec('h1', ['sh', '-euc', BREAK_AOF, 'sh', directory]);
    await lab.kill('h1', pid);
    const looping = await cluster.finding('node-crash-loop', master.key);
    expect(looping.message).toMatch(/exit code 1/);
    await client.writesAgain();
    const { restarts } = await cluster.node(master);
    expect(restarts).toBeLessThanOrEqual(6);
    await cluster.repair();
    await cluster.whole();
    // The repair has copied it from the other node, under a new id that all others know alone.
    const anew = await cluster.node(master);
    expect(anew.id).not.toBe(master.id);
    for (const node of await cluster.nodes()) {
      expect(await cluster.ask(node, 'cluster', 'nodes')).not.toContain(master.id);
    }
    const trash = await lab.exec('h1', ['sh', '-euc', 'grep -lr broken /usr/local/redis/trash']);
    expect(trash.stdout).toContain(`/stuck-${master.port}-`);
    const { lostCount, unread } = await client.stop();
    expect(lostCount).toBeLessThanOrEqual(LANES);
    expect(unread).toBe(0);
  });
});

/** The first bytes of every part of its AOF are not what Redis writes there. */
const BREAK_AOF = `for part in "$1"/appendonlydir/*.aof "$1"/appendonlydir/*.rdb; do
  if [ -s "$part" ]; then printf broken | dd of="$part" conv=notrunc status=none; fi
done`;
