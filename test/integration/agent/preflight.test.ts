/** Trials of configs with the real binary, several at once. */
import { DetachedLauncher, preflightConfig } from '@redrover/agent';
import { busPortOf } from '@redrover/core';
import type { NodePlan } from '@redrover/core';
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

function requestOf(plan: NodePlan, random?: () => number) {
  return {
    plan,
    server: join(inject('release').binDirectory, 'redis-server'),
    secrets: { password: 'a-secret-of-the-trial' },
    scratch: join(scratch.path, 'trials'),
    launcher: new DetachedLauncher(),
    user: undefined,
    ...(random === undefined ? {} : { random }),
  };
}

test('trials that choose the same port at the same time all succeed', async () => {
  // All draw the same ports in the same order, so that they meet again and again.
  const draws = (step: number) => {
    let drawn = 0;
    return () => ((drawn++ < 2 ? 0 : drawn * step) / 97) % 1;
  };
  const trials = [3, 5, 7, 11].map((step, index) =>
    preflightConfig(requestOf(planOf(7001 + index), draws(step))),
  );
  await expect(Promise.all(trials)).resolves.toHaveLength(4);
});

test('a config that the server rejects is told in its own words, whatever the port', async () => {
  const plan = planOf(7001, { 'maxmemory-policy': 'sometimes' });
  await expect(preflightConfig(requestOf(plan))).rejects.toMatchObject({
    code: 'invalid-argument',
    message: expect.stringMatching(/rejects the config of h1:7001: .*maxmemory-policy/is),
  });
});
