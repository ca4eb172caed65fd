/** Losses foreseen, and roles brought home after failovers: asked for, and by itself. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { MaintainedCluster, succeed } from '../support/maintained-cluster.ts';
import { TestStack } from '../support/stack.ts';
import { until } from '../support/until.ts';

interface OutcomeJson {
  readonly kind: string;
  readonly domain: string;
  readonly survived: boolean;
  readonly quorumKept: boolean;
  readonly lostSlotCount: number;
  readonly mastersThere: readonly string[];
}

let stack: TestStack;
let shop: MaintainedCluster;

beforeAll(async () => {
  stack = await TestStack.start({ zones: ['a', 'b', 'c'] });
  shop = await MaintainedCluster.create(stack, { name: 'shop' });
});

afterAll(async () => stack?.stop());

async function whatIf(...scope: readonly string[]): Promise<readonly OutcomeJson[]> {
  const args = ['cluster', 'what-if', 'shop', ...scope];
  return (await stack.redroverJson<{ outcomes: OutcomeJson[] }>(args)).outcomes;
}

describe('what a loss would cost', () => {
  test('of a cluster as it was laid out, each single host may go', async () => {
    const { stdout } = await succeed(stack, 'cluster', 'what-if', 'shop');
    for (const name of [...stack.hostNames, 'a', 'b', 'c']) {
      expect(stdout).toMatch(new RegExp(`^${name} `, 'm'));
    }
    const outcomes = await whatIf();
    const domains = outcomes.map(({ kind, domain }) => `${kind} ${domain}`);
    expect(domains.toSorted()).toEqual([
      ...stack.hostNames.map((name) => `host ${name}`),
      ...['a', 'b', 'c'].map((name) => `zone ${name}`),
    ]);
    for (const { survived, mastersThere } of outcomes) {
      expect(survived).toBe(true);
      expect(mastersThere).toHaveLength(1);
    }
  });

  test('of one zone is told in words', async () => {
    const { stdout } = await succeed(stack, 'cluster', 'what-if', 'shop', '--zone', 'b');
    expect(stdout).toContain('shop survives the loss of zone b.');
  });

  test('of one host is told in words', async () => {
    const { stdout } = await succeed(stack, 'cluster', 'what-if', 'shop', '--host', 'h2');
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
    await shop.makeRolesDrift('h1');
    await shop.untilDriftIsSeen();
    const { stdout } = await succeed(stack, 'cluster', 'show', 'shop');
    expect(stdout).toMatch(/master\*/);
    expect(stdout).toContain('redrover cluster repair shop');
    expect(await stack.redrover(['cluster', 'what-if', 'shop'])).toMatchObject({ exitCode: 2 });
    const lost = (await whatIf()).filter(({ survived }) => !survived);
    const fatal = lost.filter(({ kind }) => kind === 'host');
    expect(lost).toMatchObject([{ quorumKept: false }, { kind: 'zone', quorumKept: false }]);
    expect(fatal[0]?.mastersThere).toHaveLength(2);
    const scope = ['--host', fatal[0]?.domain ?? ''];
    const words = await stack.redrover(['cluster', 'what-if', 'shop', ...scope]);
    expect(words.exitCode).toBe(2);
    expect(words.stdout).toContain('shop does not survive the loss');
  });

  test('are brought home by nothing that was not approved', async () => {
    const planned = await stack.redrover(['cluster', 'repair', 'shop', '--plan']);
    expect(planned.exitCode, planned.stderr).toBe(2);
    expect(planned.stdout).toMatch(/make h1:\d+ the master of s\d in place of h\d:\d+/);
    const { exitCode, stderr } = await stack.redrover(['cluster', 'repair', 'shop']);
    expect(exitCode).toBe(64);
    expect(stderr).toContain('--yes');
    const home = (await shop.nodesOn('h1')).find(({ preferredRole }) => preferredRole === 'master');
    if (home === undefined) throw new Error('h1 has no preferred master');
    expect(await shop.roleOf(home)).toBe('replica');
  });

  test('are brought home by a repair, and every key is still there', async () => {
    const { stdout } = await succeed(stack, 'cluster', 'repair', 'shop', '--yes');
    expect(stdout).toMatch(/^done: repair of shop/);
    expect(await shop.rolesAway()).toEqual([]);
    await shop.untilHealthy();
    expect(await shop.keysLost()).toBe(0);
    await succeed(stack, 'cluster', 'what-if', 'shop');
  });

  test('leave nothing to repair afterwards', async () => {
    const { stdout } = await succeed(stack, 'cluster', 'repair', 'shop', '--yes');
    expect(stdout).toContain('nothing to repair');
    const listed = await stack.redrover(['op', 'ls', '--cluster', 'shop']);
    expect(listed.stdout.match(/\brepair\b/g)).toHaveLength(1);
  });
});

describe('a cluster that repairs itself', () => {
  test('brings its masters home after the quiet period, and says that nobody asked', async () => {
    const auto = await MaintainedCluster.create(stack, {
      name: 'auto',
      repair: 'auto',
      repairQuietMs: 1_000,
      placement: { basePort: 7100 },
    });
    expect((await succeed(stack, 'cluster', 'show', 'auto')).stdout).toContain('repair: auto');
    await auto.makeRolesDrift('h1');
    await until(
      'an automatic repair is done',
      async () => {
        const operations = await stack.redroverJson<
          { kind: string; state: string; automatic: boolean }[]
        >(['op', 'ls', '--cluster', 'auto']);
        return operations.some(
          ({ kind, state, automatic }) => kind === 'repair' && state === 'done' && automatic,
        );
      },
      60_000,
    );
    const listed = await succeed(stack, 'op', 'ls', '--cluster', 'auto');
    expect(listed.stdout).toContain('automatic repair');
    expect(await auto.rolesAway()).toEqual([]);
    expect(await auto.keysLost()).toBe(0);
  });

  test('is told not to by its spec, which is saved without touching a node', async () => {
    const spec = await stack.writeSpec({
      name: 'auto',
      nodeTimeoutMs: 1_000,
      repair: 'manual',
      repairQuietMs: 1_000,
      placement: { basePort: 7100 },
    });
    const { number } = await stack.layout('auto');
    const planned = await stack.redrover(['cluster', 'plan', '-f', spec]);
    expect(planned.exitCode, planned.stderr).toBe(2);
    expect(planned.stdout).toContain('Only the spec would change.');
    const { stdout } = await succeed(stack, 'cluster', 'apply', '-f', spec, '--yes');
    expect(stdout).toContain('The spec of auto is saved.');
    expect((await succeed(stack, 'cluster', 'show', 'auto')).stdout).not.toContain('repair: auto');
    expect((await stack.layout('auto')).number).toBe(number);
    expect(await stack.redrover(['cluster', 'plan', '-f', spec])).toMatchObject({ exitCode: 0 });
  });
});
