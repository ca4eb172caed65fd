/**
 * Losses foreseen, roles brought home, hosts drained, replaced and readdressed, through the command
 * line alone. What it claims is asked of `redis-cli` and of another client.
 */
import { endProcess, identifyProcess, sendSignal } from '@redrover/cli';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { connectCluster, countKeys, writeKeys } from '../support/cluster-client.ts';
import { TestStack } from '../support/stack.ts';
import type { CommandResult } from '../support/stack.ts';
import { until } from '../support/until.ts';
import { askWitness, runRedisCli } from '../support/witness.ts';

interface NodeJson {
  readonly id: string;
  readonly key: string;
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly role: string;
  readonly preferredRole: string;
  readonly wantedRole: string;
  readonly state: string;
  readonly shard: string;
  readonly pid: number | null;
}

interface OutcomeJson {
  readonly domain: string;
  readonly survived: boolean;
  readonly quorumKept: boolean;
  readonly lostSlotCount: number;
  readonly mastersThere: readonly string[];
}

// Detection takes up to 1.5 times of it; the tests should not take longer than they must.
const NODE_TIMEOUT_MS = 1_000;
const KEYS = 500;

let stack: TestStack;
let password: string;

beforeAll(async () => {
  stack = await TestStack.start({ hosts: 4 });
  const spec = await stack.writeSpec({
    name: 'shop',
    nodeTimeoutMs: NODE_TIMEOUT_MS,
    placement: { hosts: ['h1', 'h2', 'h3'] },
  });
  await succeed('cluster', 'apply', '-f', spec, '--yes');
  ({ password } = await stack.credentials('shop'));
  const client = connectCluster({ ...(await nodeOn('h1')), password });
  try {
    await writeKeys(client, 'kept', KEYS);
  } finally {
    client.disconnect();
  }
});

afterAll(async () => stack?.stop());

async function succeed(...args: readonly string[]): Promise<CommandResult> {
  const result = await stack.redrover(args);
  expect(result, result.stdout + result.stderr).toMatchObject({ exitCode: 0 });
  return result;
}

async function nodes(cluster = 'shop'): Promise<readonly NodeJson[]> {
  return (await stack.redroverJson<{ nodes: NodeJson[] }>(['cluster', 'show', cluster])).nodes;
}

async function nodeOn(host: string): Promise<NodeJson> {
  const node = (await nodes()).find((each) => each.host === host && each.state === 'running');
  if (node === undefined) throw new Error(`no node of shop runs on ${host}`);
  return node;
}

async function ask({ address, port }: NodeJson, ...command: readonly string[]): Promise<string> {
  const at = ['-h', address, '-p', String(port)];
  return (await runRedisCli([...at, ...command], password)).text;
}

/** As the node itself says, in the words of `ROLE`. */
async function roleOf(node: NodeJson): Promise<string> {
  const said = await ask(node, 'ROLE');
  return said.startsWith('slave') ? 'replica' : (said.split('\n')[0] ?? '');
}

/** `redis-cli --cluster check` on a node of a host. */
async function expectHealthy(host: string): Promise<void> {
  const { address, port } = await nodeOn(host);
  await until(`redis-cli finds ${host}'s cluster healthy`, async () => {
    const verdict = await askWitness({ address, port, password });
    if (!verdict.ok) throw new Error(verdict.text);
    return verdict.masters === 3 && verdict.replicas === 3;
  });
}

/** Every key that was written at the start, read by another client. */
async function expectKept(host: string): Promise<void> {
  const client = connectCluster({ ...(await nodeOn(host)), password });
  try {
    expect(await countKeys(client, 'kept', KEYS)).toBe(KEYS);
  } finally {
    client.disconnect();
  }
}

async function expectRolesAtHome(): Promise<void> {
  for (const node of await nodes()) {
    expect(await roleOf(node), node.key).toBe(node.preferredRole);
  }
}

/** Holds the preferred master of a host for so long that its replica takes over, then lets it go. */
async function makeRolesDrift(host: string, cluster = 'shop'): Promise<void> {
  const before = await nodes(cluster);
  const master = before.find((node) => node.host === host && node.role === 'master');
  const replica = before.find(({ shard, role }) => shard === master?.shard && role === 'replica');
  if (typeof master?.pid !== 'number' || replica === undefined)
    throw new Error(`no master runs on ${host}`);
  const identity = identifyProcess(master.pid);
  if (identity === undefined) throw new Error(`${master.key} does not run`);
  const secret = (await stack.credentials(cluster)).password;
  const replicaRole = async (): Promise<string> => {
    const at = ['-h', replica.address, '-p', String(replica.port)];
    return (await runRedisCli([...at, 'ROLE'], secret)).text;
  };
  sendSignal(identity, 'SIGSTOP');
  try {
    await until(`${replica.key} takes over`, async () =>
      (await replicaRole()).startsWith('master'),
    );
  } finally {
    sendSignal(identity, 'SIGCONT');
  }
  await until(`${master.key} follows`, async () => (await replicaRole()).includes(master.address));
}

async function whatIf(...scope: readonly string[]): Promise<readonly OutcomeJson[]> {
  const args = ['cluster', 'what-if', 'shop', ...scope];
  return (await stack.redroverJson<{ outcomes: OutcomeJson[] }>(args)).outcomes;
}

async function layoutNumber(): Promise<number> {
  return (await stack.layout('shop')).number;
}

describe('what a loss would cost', () => {
  test('of a cluster as it was laid out, each single host may go', async () => {
    const { stdout } = await succeed('cluster', 'what-if', 'shop');
    for (const host of ['h1', 'h2', 'h3']) expect(stdout).toMatch(new RegExp(`^${host} `, 'm'));
    const outcomes = await whatIf();
    expect(outcomes.map(({ domain }) => domain).toSorted()).toEqual(['h1', 'h2', 'h3']);
    for (const { survived, mastersThere } of outcomes) {
      expect(survived).toBe(true);
      expect(mastersThere).toHaveLength(1);
    }
  });

  test('of one host is told in words', async () => {
    const { stdout } = await succeed('cluster', 'what-if', 'shop', '--host', 'h2');
    expect(stdout).toContain('shop survives the loss of host h2.');
    expect(stdout).toMatch(/fails over to a replica elsewhere/);
  });

  test.each([
    ['a host that is not there', ['--host', 'h9'], 1, /h9/],
    ['a zone that is not there', ['--zone', 'z9'], 1, /z9/],
    ['both at once', ['--host', 'h1', '--zone', 'a'], 64, /--zone/],
  ])('%s is an error', async (_, scope, exitCode, message) => {
    const result = await stack.redrover(['cluster', 'what-if', 'shop', ...scope]);
    expect(result).toMatchObject({ exitCode, stdout: '' });
    expect(result.stderr).toMatch(message);
  });
});

describe('roles that drifted', () => {
  test('are shown, and so is the host that must not go now', async () => {
    await makeRolesDrift('h1');
    await until('the drift is seen', async () =>
      (await nodes()).some(({ role, wantedRole }) => role !== wantedRole),
    );
    const { stdout } = await succeed('cluster', 'show', 'shop');
    expect(stdout).toMatch(/master\*/);
    expect(stdout).toContain('redrover cluster repair shop');
    const table = await stack.redrover(['cluster', 'what-if', 'shop']);
    expect(table.exitCode).toBe(2);
    const fatal = (await whatIf()).filter(({ survived }) => !survived);
    expect(fatal).toMatchObject([
      { quorumKept: false, mastersThere: [expect.any(String), expect.any(String)] },
    ]);
    const words = await stack.redrover([
      'cluster',
      'what-if',
      'shop',
      '--host',
      fatal[0]?.domain ?? '',
    ]);
    expect(words.exitCode).toBe(2);
    expect(words.stdout).toContain('the whole cluster would stop serving');
  });

  test('are brought home by nothing that was not approved', async () => {
    const planned = await stack.redrover(['cluster', 'repair', 'shop', '--plan']);
    expect(planned.exitCode, planned.stderr).toBe(2);
    expect(planned.stdout).toMatch(/make h1:\d+ the master of s\d in place of h\d:\d+/);
    const { exitCode, stderr } = await stack.redrover(['cluster', 'repair', 'shop']);
    expect(exitCode).toBe(64);
    expect(stderr).toContain('--yes');
    const master = (await nodes()).find(
      (node) => node.host === 'h1' && node.preferredRole === 'master',
    );
    if (master === undefined) throw new Error('h1 has no preferred master');
    expect(await roleOf(master)).toBe('replica');
  });

  test('are brought home by a repair, and every key is still there', async () => {
    const { stdout } = await succeed('cluster', 'repair', 'shop', '--yes');
    expect(stdout).toMatch(/^done: repair of shop/);
    await expectRolesAtHome();
    await expectHealthy('h1');
    await expectKept('h1');
    await succeed('cluster', 'what-if', 'shop');
  });

  test('leave nothing to repair afterwards', async () => {
    const { stdout } = await succeed('cluster', 'repair', 'shop', '--yes');
    expect(stdout).toContain('nothing to repair');
    const listed = await stack.redrover(['op', 'ls', '--cluster', 'shop']);
    expect(listed.stdout.match(/\brepair\b/g)).toHaveLength(1);
  });
});

describe('maintenance of a host', () => {
  test('is shown before it is approved', async () => {
    const planned = await stack.redrover(['host', 'drain', 'h2', '--plan']);
    expect(planned.exitCode, planned.stderr).toBe(2);
    expect(planned.stdout).toMatch(/h2:\d+ +master +stopped/);
    expect(planned.stdout).toMatch(/replica +master meanwhile/);
    const { exitCode } = await stack.redrover(['host', 'drain', 'h2']);
    expect(exitCode).toBe(64);
    expect(await nodeOn('h2')).toBeDefined();
  });

  test('hands masters off, stops the nodes, and loses nothing', async () => {
    const pids = (await nodes()).filter(({ host }) => host === 'h2').map(({ pid }) => pid ?? 0);
    const { stdout, stderr } = await succeed('host', 'drain', 'h2', '--yes');
    expect(stdout).toMatch(/^done: drain host h2 \(shop\)/);
    expect(stderr).toContain('redrover host undrain h2');
    for (const pid of pids) expect(identifyProcess(pid)).toBeUndefined();
    const info = await ask(await nodeOn('h1'), 'CLUSTER', 'INFO');
    expect(info).toContain('cluster_state:ok');
    expect(info).toContain('cluster_slots_ok:16384');
    await expectKept('h1');
  });

  test('is shown wherever the host or cluster is', async () => {
    expect((await succeed('host', 'ls')).stdout).toMatch(/^h2 .*drained/m);
    expect((await succeed('host', 'show', 'h2')).stdout).toContain('redrover host undrain h2');
    const shown = (await succeed('cluster', 'show', 'shop')).stdout;
    expect(shown).toContain('drained for maintenance: h2');
    expect(shown).not.toMatch(/master\*/);
    expect((await succeed('op', 'ls')).stdout).toMatch(/drain host h2/);
  });

  test('is no reason to repair', async () => {
    expect((await succeed('cluster', 'repair', 'shop', '--yes')).stdout).toContain(
      'nothing to repair',
    );
  });

  test.each([
    ['a second host', ['host', 'drain', 'h3'], /majority|masters/],
    ['the same host', ['host', 'drain', 'h2'], /drained/],
    ['a host that is not there', ['host', 'drain', 'h9'], /h9/],
    ['an undrain of another', ['host', 'undrain', 'h1'], /not drained/],
  ])('%s is refused with the reason, and nothing is changed', async (_, args, message) => {
    const before = await layoutNumber();
    const result = await stack.redrover([...args, '--yes']);
    expect(result.exitCode, result.stdout).toBe(1);
    expect(result.stdout + result.stderr).toMatch(message);
    expect(await layoutNumber()).toBe(before);
  });

  test('ends with every node and role as before', async () => {
    const { stdout } = await succeed('host', 'undrain', 'h2', '--yes');
    expect(stdout).toMatch(/^done: undrain host h2 \(shop\)/);
    await expectRolesAtHome();
    await expectHealthy('h2');
    await expectKept('h2');
    expect((await succeed('host', 'ls')).stdout).not.toContain('drained');
  });
});

describe('a host that goes for good', () => {
  test.each([
    ['one that is online', ['h3', '--with', 'h4'], 1, /drain h3 --move/],
    ['a successor that is not there', ['h3', '--with', 'h9'], 1, /h9/],
    ['itself', ['h3', '--with', 'h3'], 64, /itself/],
    ['by nobody', ['h3'], 64, /--with/],
  ])('is not replaced: %s', async (_, args, exitCode, message) => {
    const before = await layoutNumber();
    const result = await stack.redrover(['host', 'replace', ...args, '--yes']);
    expect(result.exitCode, result.stdout).toBe(exitCode);
    expect(result.stdout + result.stderr).toMatch(message);
    expect(await layoutNumber()).toBe(before);
  });

  test('is replaced once it is lost, its data copied and its nodes forgotten', async () => {
    const lost = (await nodes()).filter(({ host }) => host === 'h3');
    await killHost('h3', lost);
    await until('h3 is lost', async () => {
      const hosts = await stack.redroverJson<{ name: string; status: string }[]>(['host', 'ls']);
      return hosts.some(({ name, status }) => name === 'h3' && status === 'lost');
    });
    const { stdout, stderr } = await succeed('host', 'replace', 'h3', '--with', 'h4', '--yes');
    expect(stderr).toMatch(/h3:\d+ .*h4:\d+, master/);
    expect(stdout).toMatch(/^done: replace host h3 with h4 \(shop\)/);
    expect(new Set((await nodes()).map(({ host }) => host))).toEqual(new Set(['h1', 'h2', 'h4']));
    await expectRolesAtHome();
    await expectHealthy('h4');
    await expectKept('h4');
    for (const host of ['h1', 'h2', 'h4']) {
      const known = await ask(await nodeOn(host), 'CLUSTER', 'NODES');
      for (const { id } of lost) expect(known).not.toContain(id);
    }
  });
});

/** As a power cut would: first the agent, which would start its nodes again. */
async function killHost(host: string, running: readonly NodeJson[]): Promise<void> {
  const agent = stack.stack.agentProcess(host);
  const identities = running.map(({ pid }) => (pid === null ? undefined : identifyProcess(pid)));
  for (const identity of [agent, ...identities]) {
    if (identity === undefined) throw new Error(`${host} is not up`);
    await endProcess(identity, { signal: 'SIGKILL', graceMs: 5_000 });
  }
}

describe('a host with another address', () => {
  test('with the one that its nodes have, there is nothing to do', async () => {
    const result = await stack.redrover(['host', 'readdress', 'h2', '--yes']);
    expect(result.stdout + result.stderr).toMatch(/address/);
    expect(result.exitCode).toBe(1);
  });

  test('gets its nodes announced there', async () => {
    const before = (await nodes()).filter(({ host }) => host === 'h2');
    const address = before[0]?.address.replace(/\d+$/, '77') ?? '';
    const agent = stack.stack.agentProcess('h2');
    if (agent === undefined) throw new Error('h2 has no agent');
    await endProcess(agent, { graceMs: 10_000 });
    await stack.stack.startAgent('h2', address);
    await until('h2 is known by its new address', async () => {
      const hosts = await stack.redroverJson<{ address: string }[]>(['host', 'ls']);
      return hosts.some((each) => each.address === address);
    });
    const { stdout, stderr } = await succeed('host', 'readdress', 'h2', '--yes');
    expect(stderr).toContain(`at ${address}`);
    expect(stdout).toMatch(/^done: readdress host h2 \(shop\)/);
    for (const node of (await nodes()).filter(({ host }) => host === 'h2')) {
      expect(node.address).toBe(address);
      expect(await roleOf(node)).toBe(node.preferredRole);
    }
    await expectHealthy('h1');
    await expectKept('h1');
    const known = await ask(await nodeOn('h1'), 'CLUSTER', 'NODES');
    for (const node of before) expect(known).not.toContain(`${node.address}:`);
  });
});

describe('a cluster that repairs itself', () => {
  test('brings its masters home after the quiet period, and says that nobody asked', async () => {
    const spec = await stack.writeSpec({
      name: 'auto',
      nodeTimeoutMs: NODE_TIMEOUT_MS,
      repair: 'auto',
      repairQuietMs: 1_000,
      placement: { hosts: ['h1', 'h2', 'h4'], basePort: 7100 },
    });
    await succeed('cluster', 'apply', '-f', spec, '--yes');
    expect((await succeed('cluster', 'show', 'auto')).stdout).toContain('repair: auto');
    await makeRolesDrift('h1', 'auto');
    await until('an automatic repair is done', async () => {
      const operations = await stack.redroverJson<
        { kind: string; state: string; automatic: boolean }[]
      >(['op', 'ls', '--cluster', 'auto']);
      return operations.some(
        ({ kind, state, automatic }) => kind === 'repair' && state === 'done' && automatic,
      );
    });
    expect((await succeed('op', 'ls', '--cluster', 'auto')).stdout).toContain('automatic repair');
    for (const { role, preferredRole } of await nodes('auto')) expect(role).toBe(preferredRole);
  });
});

describe('hosts with nodes of several clusters', () => {
  test('are drained with one approval, and both are told', async () => {
    const { stdout, stderr } = await succeed('host', 'drain', 'h4', '--yes');
    expect(stdout).toMatch(/^done: drain host h4 \(shop\)/m);
    expect(stdout).toMatch(/^done: drain host h4 \(auto\)/m);
    expect(stderr).toMatch(/^shop .*done/m);
    expect(stderr).toMatch(/^auto .*done/m);
    const back = await stack.redroverJson<{ cluster: string; state: string }[]>([
      'host',
      'undrain',
      'h4',
      '--yes',
    ]);
    expect(back.map(({ cluster }) => cluster).toSorted()).toEqual(['auto', 'shop']);
    expect(back.every(({ state }) => state === 'done')).toBe(true);
    await expectHealthy('h4');
  });
});
