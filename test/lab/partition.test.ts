/**
 * Networks that break between hosts that are all well: who goes on serving, what Redrover says, that
 * it does nothing twice, and that nothing of it is left when the network is back.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { until } from '../support/until.ts';
import { ClusterInLab, LANES } from './cluster-in-lab.ts';
import type { NodeView } from './cluster-in-lab.ts';
import { CONTROLLER, Lab } from './lab.ts';
import { reasonToSkipLab } from './skip-reason.ts';

const reason = await reasonToSkipLab();

const NODE_TIMEOUT_MS = 2_000;
// What a busy machine may take for a write; whether anybody took over is told by the roles.
const BUSY_MS = 5_000;
const REPAIR_QUIET_MS = 3_000;

describe.skipIf(reason !== '')('a partition', () => {
  let lab: Lab;
  let cluster: ClusterInLab;

  beforeAll(async () => {
    lab = await Lab.start({ hosts: 3 });
    cluster = await ClusterInLab.create(lab, { name: 'split', nodeTimeoutMs: NODE_TIMEOUT_MS });
  });

  afterEach(async () => {
    cluster.endClients();
    await lab.heal();
  });
  afterAll(async () => lab?.stop());

  async function stateInside(node: NodeView): Promise<string | undefined> {
    return /cluster_state:(\w+)/.exec(await cluster.askInside(node, 'cluster', 'info'))?.[1];
  }

  async function nodesOn(host: string): Promise<{ master: NodeView; replica: NodeView }> {
    const master = await cluster.nodeOn(host, 'master');
    return { master, replica: await cluster.nodeOn(host, 'replica') };
  }

  test('between two hosts of data is seen by nobody but those two, and said', async () => {
    const before = await cluster.nodes();
    const client = await cluster.client('pair');
    const mark = client.mark();
    await lab.partition('h1', 'h2');
    const { master } = await nodesOn('h2');
    await until('a node of h1 suspects one of h2', async () => {
      const { master: observer } = await nodesOn('h1');
      const line = (await cluster.ask(observer, 'cluster', 'nodes'))
        .split('\n')
        .find((each) => each.startsWith(master.id));
      return line?.includes('fail?');
    });
    const said = await cluster.finding('node-possibly-failed', master.key);
    expect(said.evidence.join()).toContain('h1');
    await client.writesAgain();
    // Two of three masters still hear each of the two: nobody has failed, so nobody takes over.
    expect(roles(await cluster.nodes())).toEqual(roles(before));
    const { gapMs } = await client.gapSince(mark);
    console.log(`two hosts apart: no write for ${Math.round(gapMs)} ms`);
    expect(gapMs).toBeLessThan(BUSY_MS);
    await lab.heal();
    await cluster.whole();
    expect(await client.stop()).toMatchObject({ lostCount: 0, unread: 0, readMisses: [] });
  });

  test('of one host: it serves no more, the others take over, nothing is done twice', async () => {
    const processes = await cluster.processes();
    const operations = await cluster.operations();
    const { master, replica } = await nodesOn('h1');
    const client = await cluster.client('host');
    const waited = await cluster.carefulClient('waited');
    const mark = client.mark();
    await lab.isolate('h1');
    await until('both nodes of h1 stop serving', async () => {
      const states = await Promise.all([master, replica].map((node) => stateInside(node)));
      return states.every((state) => state === 'fail');
    });
    expect(await cluster.askInside(master, 'set', 'late', '1')).toContain('CLUSTERDOWN');
    expect(await cluster.askInside(replica, 'get', 'late')).toContain('CLUSTERDOWN');
    await client.writesAgain();
    const { gapMs } = await client.gapSince(mark);
    console.log(`one host apart: no write for ${Math.round(gapMs)} ms`);
    const lost = await cluster.finding('host-lost', 'h1');
    expect(lost.evidence).toEqual([`node ${master.key}`, `node ${replica.key}`].toSorted());
    const hosts = await lab.redroverJson<{ name: string; status: string }[]>(['host', 'ls']);
    expect(hosts.map(({ name, status }) => `${name} ${status}`)).toEqual([
      'h1 lost',
      'h2 online',
      'h3 online',
    ]);
    await lab.heal('h1');
    await cluster.healed();
    expect(await cluster.node(master)).toMatchObject({ role: 'replica', masterLinkUp: true });
    // Nothing was restarted, and nothing was begun by anybody.
    expect(await cluster.processes()).toEqual(processes);
    expect(await cluster.operations()).toEqual(operations);
    const { lostCount, unread } = await client.stop();
    console.log(`acknowledged writes lost by the promotion: ${lostCount}`);
    expect(lostCount).toBeLessThanOrEqual(LANES);
    expect(unread).toBe(0);
    expect(await waited.stop()).toMatchObject({ lostCount: 0, unread: 0 });
  });

  test('that cuts the controller off keeps it from repairing, until it is over', async () => {
    const drifted = await cluster.nodeOn('h1', 'replica');
    expect(drifted.preferredRole).toBe('master');
    const operations = await cluster.operations();
    const client = await cluster.client('auto');
    await lab.isolate(CONTROLLER);
    const frozen = await cluster.finding('controller-cut-off');
    expect(frozen.message).toContain('3 of 3 hosts');
    await applyRepair('auto');
    const mark = client.mark();
    await until('twice the quiet period has passed', async () => {
      return (await client.report()).quietSinceMs > mark + 2 * REPAIR_QUIET_MS;
    });
    expect(await cluster.operations()).toEqual(operations);
    await lab.heal();
    const repair = await until(
      'a repair that began by itself is done',
      async () => (await cluster.operations()).find((each) => each.automatic),
      60_000,
    );
    await expectDone(repair.id);
    await cluster.whole();
    await applyRepair('manual');
    await client.writesAgain();
    expect((await client.gapSince(mark)).gapMs).toBeLessThan(BUSY_MS);
    expect(await client.stop()).toMatchObject({ lostCount: 0, unread: 0, readMisses: [] });
  });

  async function applyRepair(repair: 'auto' | 'manual'): Promise<void> {
    const fields = { name: 'split', nodeTimeoutMs: NODE_TIMEOUT_MS };
    const spec = await lab.writeSpec({ ...fields, repair, repairQuietMs: REPAIR_QUIET_MS });
    const applied = await lab.redrover(['cluster', 'apply', '-f', spec, '--yes']);
    expect(applied, applied.stderr).toMatchObject({ exitCode: 0 });
  }

  test('that cuts the controller off freezes what it does, and no user of Redis sees it', async () => {
    const client = await cluster.client('frozen');
    const id = await beginSlowDrain('h3');
    await client.writesAgain();
    const mark = client.mark();
    await lab.isolate(CONTROLLER);
    const frozen = await cluster.finding('controller-cut-off');
    expect(frozen.message).toContain('3 of 3 hosts');
    await until('the operation says that it is frozen', async () => {
      const { state, waits } = await cluster.operation(id);
      return (
        state === 'running' && waits.some(({ reason: why }) => why.startsWith('frozen: 3 of 3'))
      );
    });
    await client.writesAgain();
    await lab.heal();
    await expectDone(id);
    await expectNothingOn('h3');
    await client.writesAgain();
    // Whatever was done meanwhile was planned, handoffs included.
    expect((await client.gapSince(mark)).gapMs).toBeLessThan(BUSY_MS);
    expect(await client.stop()).toMatchObject({ lostCount: 0, unread: 0, readMisses: [] });
    await cluster.undrain('h3');
    await cluster.whole();
  });

  test('of the host that an operation works on makes it wait, and it goes on by itself', async () => {
    const client = await cluster.client('waits');
    await cluster.drain('h2');
    await cluster.undrain('h2', '--detach');
    const id = await cluster.operationUnderWay();
    await lab.isolate('h2');
    await until('the operation waits for the host', async () => {
      const { state, waits } = await cluster.operation(id);
      return state === 'running' && waits.some(({ subject }) => subject === 'h2');
    });
    await client.writesAgain();
    await lab.heal();
    await expectDone(id);
    await cluster.whole();
    expect(await client.stop()).toMatchObject({ lostCount: 0, unread: 0, readMisses: [] });
  });

  /** One that takes a while: a replica there does not listen when it is told to stop. */
  async function beginSlowDrain(host: string): Promise<string> {
    const replica = await cluster.nodeOn(host, 'replica');
    await lab.pause(host, await lab.nodePid(host, replica.port));
    await cluster.drain(host, '--detach');
    return cluster.operationUnderWay();
  }

  /** It ends by itself, and no effect was had twice. */
  async function expectDone(id: string): Promise<void> {
    await until('it is done', async () => (await cluster.operation(id)).state === 'done', 60_000);
    const { attempts } = await cluster.operation(id);
    const had = attempts.filter(({ outcome }) => outcome === 'ok').map(({ stepKey }) => stepKey);
    const effects = had.filter((key) => /^(handoffMaster|startNode|stopNode) /.test(key));
    expect(effects).toEqual([...new Set(effects)]);
  }

  async function expectNothingOn(host: string): Promise<void> {
    const running = Object.keys(await cluster.processes());
    expect(running.filter((key) => key.startsWith(`${host}:`))).toEqual([]);
  }
});

function roles(nodes: readonly NodeView[]): string[] {
  return nodes.map(({ key, role, id }) => `${key} ${role} ${id}`).toSorted();
}
