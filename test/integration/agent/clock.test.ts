/** Somebody sets the wall clock of a host while its agent runs. */
import { globSync, readdirSync, readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { until } from '../../support/until.ts';
import { AgentHarness } from './agent-harness.ts';
import { createCluster } from './cluster.ts';
import { ended, MovingCluster } from './moving-cluster.ts';

/** Of the distribution's package `libfaketime`. */
const [faketime] = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1');
const HOUR_SECONDS = 3_600;

let harness: AgentHarness;

describe.skipIf(faketime === undefined)(
  `a clock that is set${faketime === undefined ? ' (needs libfaketime)' : ''}`,
  () => {
    beforeEach(async () => {
      harness = await AgentHarness.start(faketime === undefined ? {} : { faketime });
    });
    afterEach(() => harness?.stop());

    /** Of the one mover, on the clock that nobody can set. */
    function leaseUntilMs(): number {
      const movers = join(harness.root, 'agent', 'movers');
      const [id = ''] = readdirSync(movers).filter((name) => name !== 'compile-cache');
      const text = readFileSync(join(movers, id, 'orders.json'), 'utf8');
      return (JSON.parse(text) as { lease: { untilMs: number } }).lease.untilMs;
    }

    async function setClock(seconds: number): Promise<void> {
      harness.setClock(seconds);
      await harness.controller.heartbeat('a heartbeat by that clock', ({ sentAt }) => {
        const wrongSeconds = Number(sentAt?.seconds ?? 0n) - Date.now() / 1_000;
        return Math.abs(wrongSeconds - seconds) < 60;
      });
    }

    /** Of the next heartbeats, the longest time between two. */
    async function worstBeatMs(): Promise<number> {
      let worstMs = 0;
      for (let beat = 0; beat < 10; beat += 1) {
        const before = harness.controller.lastHeartbeat;
        const startTick = performance.now();
        await until('a heartbeat', () => harness.controller.lastHeartbeat !== before);
        worstMs = Math.max(worstMs, performance.now() - startTick);
      }
      return worstMs;
    }

    async function restartAfterCrash(pid: number): Promise<number> {
      process.kill(pid, 'SIGKILL');
      const beat = await harness.controller.heartbeat('a restart', ({ nodes }) => {
        const [node] = nodes;
        return node?.process?.pid !== pid && node?.redis !== undefined;
      });
      return beat.nodes[0]?.process?.pid ?? 0;
    }

    test.each([
      ['forward', HOUR_SECONDS],
      ['back', -HOUR_SECONDS],
    ])(
      '%s by an hour neither slows heartbeats nor keeps a crashed node down',
      async (_, seconds) => {
        const pid = await harness.run(harness.plan(7001));
        await setClock(seconds);
        expect(await worstBeatMs()).toBeLessThan(1_000);
        const second = await restartAfterCrash(pid);
        await setClock(-seconds);
        await restartAfterCrash(second);
        expect(await worstBeatMs()).toBeLessThan(1_000);
      },
    );

    test.each([
      ['forward', HOUR_SECONDS],
      ['back', -HOUR_SECONDS],
    ])('%s by an hour neither ends the lease of a mover nor prolongs it', async (_, seconds) => {
      await createCluster(harness, { masters: [7001, 7002, 7003], replicas: {} });
      const cluster = new MovingCluster(harness, [7001, 7002, 7003]);
      try {
        await cluster.fill(7001, 5_000, { tags: ['7g', '8f', 'bl', 'cv', '1bz'] });
        const sent = await cluster.begin({
          engine: 'migrate',
          source: 7001,
          target: 7002,
          slots: [{ start: 0, end: 99 }],
          options: { pace: 'gentle', rateBytesPerS: 100_000 },
        });
        await until('keys to be moved', async () => (await cluster.keys(7002)) > 0);
        const before = leaseUntilMs();
        await setClock(seconds);
        // Some renewals by the new time.
        const after = await until('the lease to be renewed twice', () => {
          const untilMs = leaseUntilMs();
          return untilMs > before + 5_000 && untilMs;
        });
        expect(after - uptime() * 1_000).toBeLessThanOrEqual(10 * 60_000);
        expect(after - uptime() * 1_000).toBeGreaterThan(9 * 60_000);
        expect(harness.controller.lastHeartbeat?.movers).toHaveLength(1);
        expect(ended(await sent.result)).toMatchObject({
          error: undefined,
          report: { slotsMoved: 100, keysMoved: 5_000 },
        });
      } finally {
        cluster.close();
      }
    });

    test('forward makes commands expire, which says what to compare', async () => {
      await harness.run(harness.plan(7001));
      await setClock(HOUR_SECONDS);
      const stop = { kind: 'stopNode', host: 'h1', node: harness.key(7001) } as const;
      await expect(harness.controller.step(stop)).rejects.toMatchObject({
        code: 'fenced',
        message: expect.stringContaining('compare the clocks'),
      });
      expect(harness.serverPids()).toHaveLength(1);
      await setClock(0);
      await harness.controller.step(stop);
      expect(harness.serverPids()).toHaveLength(0);
    });

    test('back lets commands pass', async () => {
      await harness.run(harness.plan(7001));
      await setClock(-HOUR_SECONDS);
      const stop = { kind: 'stopNode', host: 'h1', node: harness.key(7001) } as const;
      expect((await harness.controller.step(stop)).message).toBe('stopped by SHUTDOWN');
    });
  },
);
