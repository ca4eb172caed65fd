/**
 * Hosts that come back as another: with a new address, or as another machine altogether. And hosts
 * that are taken down on purpose, under the eyes of a client.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { until } from '../support/until.ts';
import { ClusterInLab, LANES } from './cluster-in-lab.ts';
import type { NodeView } from './cluster-in-lab.ts';
import { Lab } from './lab.ts';
import { reasonToSkipLab } from './skip-reason.ts';

const reason = await reasonToSkipLab();

const NODE_TIMEOUT_MS = 2_000;
const NEW_ADDRESS = '10.77.0.99';

describe.skipIf(reason !== '')('hosts that change', () => {
  let lab: Lab;
  let cluster: ClusterInLab;

  beforeAll(async () => {
    lab = await Lab.start({ hosts: 4 });
    cluster = await ClusterInLab.create(lab, {
      name: 'moves',
      nodeTimeoutMs: NODE_TIMEOUT_MS,
      placement: { hosts: ['h1', 'h2', 'h3'] },
    });
  });

  afterAll(async () => {
    cluster?.endClients();
    await lab?.stop();
  });

  test('drained and undrained under a client, which loses nothing and never fails for long', async () => {
    const client = await cluster.client('drain');
    await redrover('host', 'drain', 'h1', '--yes');
    const pids = await cluster.processes();
    expect(Object.keys(pids).filter((key) => key.startsWith('h1:'))).toEqual([]);
    // Nothing is started there meanwhile, whatever becomes of the host.
    await lab.crash('h1');
    await lab.boot('h1');
    await lab.waitForHosts();
    expect((await cluster.nodes()).filter(isOn('h1')).map(({ state }) => state)).toEqual([
      'stopped',
      'stopped',
    ]);
    await redrover('host', 'undrain', 'h1', '--yes');
    await cluster.whole();
    const { acknowledged, lostCount, unread } = await client.stop();
    expect(acknowledged).toBeGreaterThan(LANES);
    expect({ lostCount, unread }).toEqual({ lostCount: 0, unread: 0 });
  });

  test('back with another address: said, guided, and one cluster again', async () => {
    const before = await cluster.nodes();
    const client = await cluster.carefulClient('address');
    await lab.crash('h2');
    await until('nobody waits for a master on h2', async () => {
      const masters = await mastersNow();
      return masters.length === 3 && !masters.some(isOn('h2'));
    });
    await lab.boot('h2', { address: NEW_ADDRESS });
    await lab.waitForHosts();
    const finding = await cluster.finding('host-readdressed', 'h2');
    expect(finding.remedy).toContain('redrover host readdress h2');

    await redrover('host', 'readdress', 'h2', '--yes');
    await cluster.whole();
    const after = await cluster.nodes();
    expect(after.filter(isOn('h2')).map(({ address }) => address)).toEqual([
      NEW_ADDRESS,
      NEW_ADDRESS,
    ]);
    // The same nodes, not new ones, and every node of the cluster knows where they are.
    expect(after.map(({ key, id }) => [key, id])).toEqual(before.map(({ key, id }) => [key, id]));
    for (const node of after) {
      const view = await cluster.ask(node, 'CLUSTER', 'NODES');
      expect(view.match(new RegExp(`${NEW_ADDRESS}:`, 'g'))?.length).toBe(2);
      expect(view).not.toContain('10.77.0.12:');
    }
    await client.writesAgain();
    expect(await client.stop()).toMatchObject({ lostCount: 0, unread: 0 });
  });

  test('lost for good: replaced by another host, and forgotten by every node', async () => {
    const client = await cluster.carefulClient('replace');
    const gone = (await cluster.nodes()).filter(isOn('h3'));
    const online = await lab.redrover(['host', 'replace', 'h3', '--with', 'h4', '--yes']);
    expect(online.exitCode).toBe(1);
    expect(online.stderr + online.stdout).toMatch(/drain h3 --move/);

    await lab.crash('h3');
    await until('h3 is lost', async () => {
      type Known = readonly { readonly name: string; readonly status: string }[];
      const hosts = await lab.redroverJson<Known>(['host', 'ls']);
      return hosts.some(({ name, status }) => name === 'h3' && status === 'lost');
    });
    await until('nobody waits for a master on h3', async () => {
      const masters = await mastersNow();
      return masters.length === 3 && !masters.some(isOn('h3'));
    });
    await redrover('host', 'replace', 'h3', '--with', 'h4', '--yes');
    await cluster.whole();
    const after = await cluster.nodes();
    expect(new Set(after.map(({ host }) => host))).toEqual(new Set(['h1', 'h2', 'h4']));
    for (const node of after) {
      const view = await cluster.ask(node, 'CLUSTER', 'NODES');
      for (const { id } of gone) expect(view).not.toContain(id);
    }
    await client.writesAgain();
    expect(await client.stop()).toMatchObject({ lostCount: 0, unread: 0 });

    // The old host comes back: what it starts is none of the cluster's any more, and is put away.
    await lab.boot('h3');
    await lab.waitForHosts();
    await cluster.finding('former-node');
    await cluster.repair();
    await cluster.whole();
    const running = Object.keys(await cluster.processes());
    expect(running.filter((key) => key.startsWith('h3:'))).toEqual([]);
    const { stdout } = await lab.exec('h3', ['ls', '/usr/local/redis/trash']);
    expect(stdout.split('\n').filter(Boolean).length).toBe(gone.length);
  });

  async function redrover(...args: string[]): Promise<void> {
    const { exitCode, stdout, stderr } = await lab.redrover(args);
    expect({ exitCode, said: `${stdout}\n${stderr}` }).toMatchObject({ exitCode: 0 });
  }

  /** By the nodes' own word, of those that answer. */
  async function mastersNow(): Promise<NodeView[]> {
    const running = (await cluster.nodes()).filter(({ state }) => state === 'running');
    return running.filter(({ role, host }) => role === 'master' && lab.isUp(host));
  }
});

function isOn(host: string): (node: NodeView) => boolean {
  return (node) => node.host === host;
}
