/**
 * Nodes whose files are gone, or older than what their cluster knows: none of them may cost a write
 * that another node still has, and a repair makes of each a replica that has everything.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { until } from '../support/until.ts';
import { ClusterInLab } from './cluster-in-lab.ts';
import type { NodeView } from './cluster-in-lab.ts';
import { Lab } from './lab.ts';
import { reasonToSkipLab } from './skip-reason.ts';

const reason = await reasonToSkipLab();

// Long enough for a host to crash and boot within it, which is when old data is dangerous.
const NODE_TIMEOUT_MS = 5_000;
describe.skipIf(reason !== '')('a node that lost its files', () => {
  let lab: Lab;
  let cluster: ClusterInLab;

  beforeAll(async () => {
    lab = await Lab.start({ hosts: 3 });
    cluster = await ClusterInLab.create(lab, { name: 'lost', nodeTimeoutMs: NODE_TIMEOUT_MS });
  });

  afterEach(() => cluster.endClients());
  afterAll(async () => lab?.stop());

  /** Another node of its shard is master, by that node's own word. */
  async function untilReplaced(master: NodeView): Promise<NodeView> {
    const heir = (await cluster.nodes()).find(
      (node) => node.shard === master.shard && node.key !== master.key,
    );
    if (heir === undefined) throw new Error(`${master.shard} has no replica`);
    await until(`${heir.key} takes over from ${master.key}`, async () => {
      return (await cluster.ask(heir, 'role')).startsWith('master');
    });
    return heir;
  }

  async function expectForgotten(id: string): Promise<void> {
    for (const node of await cluster.nodes()) {
      expect(await cluster.ask(node, 'cluster', 'nodes'), node.key).not.toContain(id);
    }
  }

  test('a master whose directory is wiped is made anew from the replica that took over', async () => {
    const master = await cluster.nodeOn('h1', 'master');
    const client = await cluster.carefulClient('wiped');
    const pid = await lab.nodePid('h1', master.port);
    await lab.exec('h1', ['rm', '-rf', directoryOf(master)]);
    await lab.kill('h1', pid);
    const absent = await cluster.finding('node-absent', master.key);
    expect(absent.message).toContain(`its directory ${directoryOf(master)} is gone`);
    expect(absent.remedy).toContain('redrover cluster repair lost');
    await untilReplaced(master);
    await cluster.repair();
    await cluster.whole();
    expect((await cluster.node(master)).id).not.toBe(master.id);
    await expectForgotten(master.id);
    expect(await client.stop()).toMatchObject({ lostCount: 0, unread: 0 });
  });

  test('a master without its nodes.conf is held, for it would be a stranger, and made anew', async () => {
    const master = await cluster.nodeOn('h2', 'master');
    const client = await cluster.carefulClient('stranger');
    await lab.crash('h2');
    await lab.boot('h2', { agent: false });
    await lab.exec('h2', ['rm', `${directoryOf(master)}/nodes.conf`]);
    await lab.startAgent('h2');
    const held = await cluster.finding('node-held', master.key);
    expect(held.message).toContain('nodes.conf');
    expect(held.remedy).toContain('redrover cluster repair lost');
    expect(await lab.findNode('h2', master.port)).toBeUndefined();
    await untilReplaced(master);
    await cluster.repair();
    await cluster.whole();
    expect((await cluster.node(master)).id).not.toBe(master.id);
    await expectForgotten(master.id);
    const kept = await lab.exec('h2', ['sh', '-euc', 'ls -d /usr/local/redis/trash/*']);
    expect(kept.stdout).toContain(`/lost-${master.port}-`);
    expect(await client.stop()).toMatchObject({ lostCount: 0, unread: 0 });
  });

  test('a master that boots with old data does not overwrite its replica with it', async () => {
    const master = await cluster.nodeOn('h3', 'master');
    await lab.exec('h3', ['cp', '-a', directoryOf(master), '/root/old']);
    const client = await cluster.carefulClient('old');
    await client.writesAgain();
    await lab.crash('h3');
    await lab.boot('h3', { agent: false });
    await lab.exec('h3', ['sh', '-euc', PUT_BACK, 'sh', directoryOf(master)]);
    await lab.startAgent('h3');
    const held = await cluster.finding('node-held', master.key);
    expect(held.message).toContain('waiting up to');
    const heir = await untilReplaced(master);
    await cluster.healed();
    expect(await cluster.ask(master, 'role')).toMatch(/^slave/);
    expect(await cluster.ask(heir, 'role')).toMatch(/^master/);
    await client.writesAgain();
    expect(await client.stop()).toMatchObject({ lostCount: 0, unread: 0 });
    await cluster.repair();
    await cluster.whole();
  });
});

const PUT_BACK = `rm -rf "$1"
mv /root/old "$1"`;

function directoryOf({ port }: NodeView): string {
  return `/usr/local/redis/${port}`;
}
