/** That a lab's failures are what they say, and that none of them reaches the machine. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { until } from '../support/until.ts';
import { CLIENT, Lab } from './lab.ts';
import { reasonToSkipLab } from './skip-reason.ts';

const reason = await reasonToSkipLab();
if (reason !== '') console.warn(`lab tests are skipped: ${reason}`);

describe.skipIf(reason !== '')('a lab with a cluster', () => {
  let lab: Lab;
  let password = '';

  beforeAll(async () => {
    const began = performance.now();
    lab = await Lab.start({ hosts: 3 });
    console.log(`3 hosts are up after ${Math.round(performance.now() - began)} ms`);
  });

  afterAll(async () => lab?.stop());

  test('carries a cluster that the command line makes', async () => {
    const spec = await lab.writeSpec({ name: 'first' });
    const applied = await lab.redrover(['cluster', 'apply', '-f', spec, '--yes']);
    expect(applied, applied.stderr).toMatchObject({ exitCode: 0 });
    password = (await lab.credentials('first')).password;
    const info = await lab.redisCli('h1', 6379, ['cluster', 'info'], password);
    expect(info.stdout).toContain('cluster_state:ok');
  });

  test('a host that crashes and boots has its data, and its nodes come back', async () => {
    await lab.exec('h2', ['sh', '-c', 'echo kept > /root/kept']);
    await lab.crash('h2');
    expect(await lab.reaches(CLIENT, 'h2')).toBe(false);
    await lab.boot('h2');
    expect(await lab.reaches(CLIENT, 'h2')).toBe(true);
    expect((await lab.exec('h2', ['cat', '/root/kept'])).stdout).toBe('kept');
    await lab.waitForHosts();
    await until('the nodes of h2 are back', async () => {
      const info = await lab.redisCli('h2', 6379, ['cluster', 'info'], password);
      return info.stdout.includes('cluster_state:ok');
    });
  });

  test('a host that is isolated reaches nobody until it is healed', async () => {
    await lab.isolate('h3');
    expect(await lab.reaches('h3', 'h1')).toBe(false);
    expect(await lab.reaches('h1', 'h3')).toBe(false);
    expect(await lab.reaches('h1', 'h2')).toBe(true);
    await lab.heal('h3');
    expect(await lab.reaches('h3', 'h1')).toBe(true);
  });

  test('a partition parts two hosts, and only them', async () => {
    await lab.partition('h1', 'h2');
    expect(await lab.reaches('h1', 'h2')).toBe(false);
    expect(await lab.reaches('h2', 'h1')).toBe(false);
    expect(await lab.reaches('h1', 'h3')).toBe(true);
    await lab.heal();
    expect(await lab.reaches('h1', 'h2')).toBe(true);
  });
});
