/** The disk of a host fills up under its nodes and under the agent's own state, and is emptied again. */
import { execa } from 'execa';
import { readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { until } from '../../support/until.ts';
import { runRedisCli } from '../../support/witness.ts';
import { AgentHarness, PASSWORD } from './agent-harness.ts';

const canMount = !(await execa('unshare', ['--mount', 'true'], { reject: false })).failed;
const isSkipped = process.getuid?.() !== 0 || !canMount;

const DISK_KIB = 8 * 1024;
/** USER_HZ: 100 on every architecture. */
const TICKS_PER_SECOND = 100;

let harness: AgentHarness;
let filler: string;

async function begin(): Promise<void> {
  harness = await AgentHarness.start({ diskKib: DISK_KIB });
  filler = harness.inside(join(harness.root, 'filler'));
}

/** To the last block. */
function fill(): void {
  const { bavail, bsize } = statfsSync(harness.inside(harness.root));
  for (let left = bavail * bsize; left > 0; left = Math.floor(left / 2)) {
    try {
      writeFileSync(filler, Buffer.alloc(left), { flag: 'a' });
    } catch {
      // Full: what is left is less than that.
    }
  }
}

async function cli(...args: string[]): Promise<string> {
  const { text } = await runRedisCli(['-h', harness.address, '-p', '7001', ...args], PASSWORD);
  return text;
}

async function seen() {
  const [node] = await harness.controller.observe([harness.key(7001)]);
  if (node === undefined) throw new Error('nothing was seen');
  return node;
}

/** Processor time of the agent so far. */
function cpuSeconds(): number {
  const stat = readFileSync(`/proc/${harness.agentPid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

const claim = () =>
  harness.controller.step({
    kind: 'claimSlots',
    host: 'h1',
    node: harness.key(7001),
    configEpoch: 1,
    slots: [{ start: 0, end: 16_383 }],
  });

describe.skipIf(isSkipped)(
  `a full disk${isSkipped ? ' (needs root: a mount namespace)' : ''}`,
  () => {
    beforeEach(begin);
    afterEach(() => harness?.stop());

    test('is seen by the state of persistence, and gone from it when there is room again', async () => {
      await harness.run(harness.plan(7001));
      await claim();
      await until('the cluster to be ok', async () => (await cli('set', 'a', '1')).includes('OK'));
      expect((await seen()).redis?.persistenceOk).toBe(true);
      const pid = harness.agentPid;
      fill();
      await until('writes to be refused', async () =>
        (await cli('set', 'b', 'x'.repeat(5_000))).includes('MISCONF'),
      );
      const full = await until('the state to be seen', async () => {
        const node = await seen();
        return node.redis?.persistenceOk === false ? node : undefined;
      });
      expect(full.process.state).toBe('running');
      expect(harness.controller.lastHeartbeat?.diskFreeBytes).toBeDefined();
      await rm(filler);
      await until('writes to be taken', async () => (await cli('set', 'c', '1')).includes('OK'));
      await until('the state to be well', async () => (await seen()).redis?.persistenceOk);
      expect(harness.agentPid).toBe(pid);
    });

    test('refuses what has to be written down first, keeps nodes running, and costs no time', async () => {
      const server = await harness.run(harness.plan(7001));
      fill();
      const stopping = { kind: 'stopNode', host: 'h1', node: harness.key(7001) } as const;
      await expect(harness.controller.step(stopping)).rejects.toMatchObject({
        code: 'resource-exhausted',
        message: expect.stringContaining('the disk is full'),
      });
      await expect(harness.prepare(harness.plan(7002))).rejects.toMatchObject({
        code: 'resource-exhausted',
      });
      // What it would like to write down has changed, and cannot be: it must not try without a rest.
      await cli('config', 'set', 'appendonly', 'no');
      const before = cpuSeconds();
      await delay(5_000);
      // A quiet agent takes some 0.1 s for five seconds of quick heartbeats.
      expect(cpuSeconds() - before).toBeLessThan(1);
      const lines = harness.log.split('\n').filter((line) => line.includes('cannot write down'));
      expect(lines.length).toBeLessThan(3);
      expect((await seen()).process).toMatchObject({ state: 'running', pid: server });
      await rm(filler);
      await until('the record to be written', () => {
        const path = harness.inside(join(harness.root, 'agent/nodes/7001.json'));
        return readFileSync(path, 'utf8').includes('"aofWritten":false');
      });
      await harness.controller.step(stopping);
      expect((await seen()).process.state).toBe('stopped');
    });

    test('does not keep a new agent from its nodes, nor from its controller', async () => {
      const server = await harness.run(harness.plan(7001));
      fill();
      await harness.killAgent('SIGKILL');
      await harness.startAgent();
      const { process: taken } = await harness.inState(7001, 'running');
      expect(taken.pid).toBe(server);
      // The last beat may be the former agent's, of the time before.
      await harness.controller.heartbeat(
        'a heartbeat that tells of the full disk',
        ({ nodes, diskFreeBytes }) => nodes.length > 0 && diskFreeBytes < 100_000n,
      );
    });

    test('under a server that crashes is told as the reason, until it starts by itself', async () => {
      const server = await harness.run(harness.plan(7001));
      fill();
      process.kill(server, 'SIGKILL');
      const node = await until('the crash to be seen', async () => {
        const now = await seen();
        return now.process.pid === server ? undefined : now;
      });
      // Whether it can start on a full disk is the server's business; that it is tried, the agent's.
      expect(['backoff', 'crash-loop', 'running', 'starting']).toContain(node.process.state);
      await rm(filler);
      await harness.inState(7001, 'running', 90_000);
    });
  },
);
