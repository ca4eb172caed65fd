/** The engines where the servers move slots, while one of the servers dies, hangs or is replaced. */
import { MoverState } from '@redrover/proto';
import { afterEach, describe, expect, test } from 'vitest';

import { engineCases } from '../../support/engines.ts';
import { until } from '../../support/until.ts';
import { AtomicCluster, OWN_SLOTS, SLOT_COUNT, TAGS } from './atomic-cluster.ts';
import { ended } from './moving-cluster.ts';

/**
 * Nobody is elected while a server is away for a moment. With `everysec` a server acknowledges writes for up to
 * two seconds before it hands them to the kernel while an fsync takes its time (redis.conf, appendfsync), and a
 * SIGKILL costs them with or without a move (ADR 8): only `always` promises what is asked for here.
 */
const STEADY = { nodeTimeoutMs: 15_000, config: { appendfsync: 'always' } };
/** Of 7001, when the slots are at 7002. */
const LEFT = 5461 - SLOT_COUNT;
const CAME_TO_NOTHING = ['unavailable', 'failed-precondition', undefined];

for (const { engine, title, isMissing, release } of engineCases([
  'redis-atomic',
  'valkey-atomic',
])) {
  describe.skipIf(isMissing)(`on ${title}`, () => {
    let atomic: AtomicCluster | undefined;

    afterEach(async () => {
      await atomic?.stop();
      atomic = undefined;
    });

    test('a source and a target that die and return with their data cost a try each, and no write', async () => {
      atomic = await AtomicCluster.start(engine, release(), STEADY);
      const { moving, harness } = atomic;
      // Each turn of the server's loop would be forced to the disk.
      await moving.client(7001).config('SET', 'appendfsync', 'everysec');
      await moving.fill(7001, 150_000, { tags: TAGS });
      await moving.client(7001).config('SET', 'appendfsync', 'always');
      const writer = await atomic.startWriter();
      for (const ends of [
        { source: 7001, target: 7002 },
        { source: 7002, target: 7001 },
      ]) {
        const { result } = await moving.begin(atomic.request(ends));
        await atomic.untilAtWork();
        harness.signal(7001, 'SIGKILL');
        // The agent starts it again at once, as its AOF is whole and its replica has not been elected.
        const first = ended(await result);
        expect(CAME_TO_NOTHING).toContain(first.error?.code);
        await harness.inState(7001, 'running');
        await moving.untilAgreed();
        const [seen] = await harness.controller.observe([harness.key(7001)]);
        expect(seen?.redis?.role).toBe('master');
        const again = await moving.move(atomic.request(ends));
        expect(again.error).toBeUndefined();
        expect(await moving.slotsOf(7001)).toBe(ends.source === 7001 ? LEFT : LEFT + SLOT_COUNT);
      }
      expect(await writer.lost()).toEqual([]);
      await atomic.expectHealthy();
    });

    test('cancelled while the target hangs, it is stopping until the target says that it has ended', async () => {
      atomic = await AtomicCluster.start(engine, release(), { nodeTimeoutMs: 60_000 });
      const { moving, harness } = atomic;
      const { controller } = harness;
      await moving.fill(7001, 200_000, { tags: TAGS });
      const { id, result } = await moving.begin({ ...atomic.request(), nodeTimeoutMs: 500 });
      let hasEnded = false;
      const outcome = result.finally(() => (hasEnded = true));
      await atomic.untilAtWork();
      harness.signal(7002, 'SIGSTOP');
      await controller.cancel(id);
      const waiting = 'stopping: h1:7002 has not said that the migration ended';
      await until(
        'the agent to wait for the target alone',
        () => controller.moveStates.includes(waiting),
        60_000,
      );
      controller.lastHeartbeat = undefined;
      const { movers } = await controller.heartbeat('another heartbeat', () => true);
      const state = MoverState.STOPPING;
      expect(movers).toMatchObject([{ source: 'h1:7001', target: 'h1:7002', state }]);
      expect(hasEnded).toBe(false);
      harness.signal(7002, 'SIGCONT');
      const { error } = ended(await outcome);
      expect([await atomic.tasks(7001), await atomic.tasks(7002)]).toEqual([0, 0]);
      const moved = await moving.slotsOf(7002);
      expect(error?.code).toBe(moved === OWN_SLOTS ? 'cancelled' : undefined);
      await controller.heartbeat('no mover is left', (beat) => beat.movers.length === 0);
    });

    test('a source and a target whose replicas are promoted end the task, and the next one moves from there', async () => {
      atomic = await AtomicCluster.start(engine, release());
      const { moving, harness } = atomic;
      await moving.fill(7001, 150_000, { tags: TAGS });
      const total = await moving.keys(7001);
      for (const { source, target, hung, heir } of [
        { source: 7001, target: 7002, hung: 7001, heir: 7011 },
        { source: 7002, target: 7011, hung: 7011, heir: 7001 },
      ]) {
        await until('the replica to have it all', async () => {
          const info = await moving.client(heir).info('replication');
          const isUp = info.includes('master_link_status:up');
          return isUp && (await moving.keys(heir)) === (await moving.keys(hung));
        });
        const { result } = await moving.begin(atomic.request({ source, target }));
        await atomic.untilAtWork(7002);
        harness.signal(hung, 'SIGSTOP');
        await until('the replica to be promoted', async () => {
          const [role] = (await moving.client(heir).call('ROLE')) as [string];
          return role === 'master';
        });
        // The one that hangs is not waited for: it has been replaced.
        const first = ended(await result);
        harness.signal(hung, 'SIGCONT');
        expect(CAME_TO_NOTHING).toContain(first.error?.code);
        await moving.untilAgreed();
        const ends = {
          source: source === hung ? heir : source,
          target: target === hung ? heir : target,
        };
        const again = await moving.move(atomic.request(ends));
        expect(again.error).toBeUndefined();
        expect(await moving.slotsOf(7002)).toBe(
          target === 7002 ? OWN_SLOTS + SLOT_COUNT : OWN_SLOTS,
        );
        expect((await moving.keys(heir)) + (await moving.keys(7002))).toBe(total);
      }
    });
  });
}
