/** Trials of configs with the real binary, several at once. */
import { DetachedLauncher, preflightConfig } from '@redrover/agent';
import { busPortOf } from '@redrover/core';
import type { NodePlan } from '@redrover/core';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';

import { createScratchDirectory } from '../../support/scratch.ts';
import type { Scratch } from '../../support/scratch.ts';

let scratch: Scratch;
beforeEach(async () => {
  scratch = await createScratchDirectory('preflight');
});
afterEach(() => scratch.remove());

function planOf(port: number, config: NodePlan['config'] = {}): NodePlan {
  const { name } = inject('release');
  return {
    cluster: 'trial',
    clusterId: 'trial-1',
    layoutNumber: 1,
    node: {
      key: `h1:${port}`,
      host: 'h1',
      address: '127.0.0.1',
      port,
      busPort: busPortOf(port),
      shard: 's1',
      preferredRole: 'master',
      configEpoch: 1,
    },
    release: name,
    product: 'redis',
    version: name.slice('redis-'.length),
    maxmemoryBytes: undefined,
    nodeTimeoutMs: 5000,
    config,
  };
}

function requestOf(plan: NodePlan) {
  return {
    plan,
    server: join(inject('release').binDirectory, 'redis-server'),
    secrets: { password: 'a-secret-of-the-trial' },
    scratch: join(scratch.path, 'trials'),
    launcher: new DetachedLauncher(),
    user: undefined,
  };
}

/** Starts servers for real; before the first one somebody else takes its port. */
class LateLauncher extends DetachedLauncher {
  launches = 0;

  override async launch(request: Parameters<DetachedLauncher['launch']>[0]) {
    this.launches += 1;
    if (this.launches > 1) return super.launch(request);
    const other = createServer().listen({ host: '127.0.0.1', port: request.port });
    await once(other, 'listening');
    const launched = await super.launch(request);
    // The other one is gone by the time that the server has given up.
    void launched.exited.then(() => other.close());
    return launched;
  }
}

test("a port that is taken after it was found free is not the config's fault", async () => {
  const launcher = new LateLauncher();
  await preflightConfig({ ...requestOf(planOf(7001)), launcher });
  expect(launcher.launches).toBe(2);
});

test('a config that the server rejects is told in its own words, whatever the port', async () => {
  const plan = planOf(7001, { 'maxmemory-policy': 'sometimes' });
  await expect(preflightConfig(requestOf(plan))).rejects.toMatchObject({
    code: 'invalid-argument',
    message: expect.stringMatching(/rejects the config of h1:7001: .*maxmemory-policy/is),
  });
});
