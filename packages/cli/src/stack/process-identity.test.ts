import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';

import { endProcess, identifyProcess, isRunning, waitForEnd } from './process-identity.ts';
import type { ProcessIdentity } from './process-identity.ts';

async function start(script: string): Promise<ProcessIdentity> {
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  const identity = child.pid === undefined ? undefined : identifyProcess(child.pid);
  if (identity === undefined) throw new Error('it did not start');
  return identity;
}

test('a living process is running, one with another start time is not', async () => {
  const identity = await start('console.log(1); setInterval(() => {}, 1000)');
  expect(isRunning(identity)).toBe(true);
  expect(isRunning({ ...identity, startTicks: '1' })).toBe(false);
});

test('a process that obeys is ended by the first signal', async () => {
  const identity = await start('console.log(1); setInterval(() => {}, 1000)');
  await endProcess(identity, { graceMs: 5_000 });
  expect(isRunning(identity)).toBe(false);
});

test('a process that does not obey is killed', async () => {
  const identity = await start(
    "process.on('SIGTERM', () => {}); console.log(1); setInterval(() => {}, 1000)",
  );
  await endProcess(identity, { graceMs: 200 });
  expect(isRunning(identity)).toBe(false);
});

test('ending somebody else who got the same pid does nothing', async () => {
  const identity = await start('console.log(1); setInterval(() => {}, 1000)');
  await endProcess({ ...identity, startTicks: '1' }, { graceMs: 100 });
  expect(await waitForEnd(identity, 100)).toBe(false);
});
