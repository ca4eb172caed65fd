/** Roots, addresses and file modes that are not the usual ones. */
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';

import { until } from '../../support/until.ts';
import { AgentHarness } from './agent-harness.ts';

let harness: AgentHarness;
afterEach(() => harness?.stop());

/** Starts a node, and finds the same process again by its directory alone. */
async function runAndAdopt(): Promise<{ readonly first: number; readonly second: number }> {
  const pid = await harness.run(harness.plan(7001));
  await harness.killAgent('SIGKILL');
  await rm(join(harness.root, 'agent/nodes/7001.json'));
  await harness.startAgent();
  const second = await harness.run(harness.plan(7001));
  process.kill(pid, 'SIGKILL');
  await until('a new server', async () => {
    const [seen] = await harness.controller.observe([harness.key(7001)]);
    return seen?.process.state === 'running' && seen.process.pid !== pid;
  });
  return { first: pid, second };
}

test('a root with blanks, quotes and letters beyond ASCII', async () => {
  harness = await AgentHarness.start({ rootName: 'my "röt" $HOME\'s' });
  const { first, second } = await runAndAdopt();
  expect(second).toBe(first);
});

const hasIpv6 = Object.values(networkInterfaces()).some((list) =>
  list?.some(({ address }) => address === '::1'),
);

test.skipIf(!hasIpv6)(`an IPv6 address${hasIpv6 ? '' : ' (there is none here)'}`, async () => {
  harness = await AgentHarness.start({ address: '::1' });
  const { first, second } = await runAndAdopt();
  expect(second).toBe(first);
});

test('an agent that is started with a strict umask', async () => {
  harness = await AgentHarness.start();
  await harness.killAgent();
  await rm(join(harness.root, 'agent'), { recursive: true });
  const before = process.umask(0o077);
  try {
    await harness.startAgent();
  } finally {
    process.umask(before);
  }
  const pid = await harness.run(harness.plan(7001));
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const own = process.getuid?.();
  expect(status).toMatch(own === 0 ? /^Uid:\s+[1-9]/m : new RegExp(`^Uid:\\s+${own}\\s`, 'm'));
});
