/** More and fewer shards, with each engine that moves slots: refused, approved, done, and undone. */
import { countSlots, formatRanges } from '@redrover/core';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { engineCases } from '../support/engines.ts';
import { MaintainedCluster, succeed } from '../support/maintained-cluster.ts';
import { TestStack } from '../support/stack.ts';

interface PlanJson {
  readonly reason: string;
  readonly moves: readonly { from: string; to: string; engine: string; keys: number }[];
}

interface OperationJson {
  readonly state: string;
  readonly attempts: readonly {
    readonly stepKey: string;
    readonly move?: { readonly slotsMoved: number; readonly keysMoved: number } | null;
  }[];
}

for (const { engine, title, isMissing, release } of engineCases()) {
  describe.skipIf(isMissing)(`on ${title}`, () => {
    let stack: TestStack;
    let shop: MaintainedCluster;

    beforeAll(async () => {
      stack = await TestStack.start({ hosts: 3, release: release() });
      shop = await MaintainedCluster.create(stack, { name: 'shop' });
    });

    afterAll(async () => stack?.stop());

    const scale = ['cluster', 'scale', 'shop'];
    const four = [...scale, '--shards', '4', '--allow-weak-quorum'];

    async function slotsByShard(): Promise<Map<string, number>> {
      const { shards } = await stack.layout('shop');
      return new Map(shards.map(({ id, slots }) => [id, countSlots(slots)]));
    }

    test('four shards on three hosts are refused, with what would hold', async () => {
      const { exitCode, stdout, stderr } = await stack.redrover([
        ...scale,
        '--shards',
        '4',
        '--yes',
      ]);
      const said = stdout + stderr;
      expect(exitCode, said).toBe(1);
      expect(said).toMatch(/majority/);
      expect(said).toMatch(/5 shards|shards: 5/);
      expect(said).toMatch(/host/);
      expect((await stack.layout('shop')).number).toBe(1);
    });

    test('what would be moved is shown before it is approved', async () => {
      const plan = await stack.redroverJson<PlanJson>([...four, '--plan']);
      expect(plan.reason).toBe('scale to 4 shards');
      expect(plan.moves.map(({ from, to }) => `${from} > ${to}`).toSorted()).toEqual([
        's1 > s4',
        's2 > s4',
        's3 > s4',
      ]);
      expect(plan.moves.every((move) => move.engine === engine)).toBe(true);
      const keys = plan.moves.reduce((sum, move) => sum + move.keys, 0);
      // Of 500 keys a quarter, as their hashes have it.
      expect(keys).toBeGreaterThan(60);
      expect(keys).toBeLessThan(200);
    });

    test('slots go to the new shard in equal measure, and no key is lost', async () => {
      const { id } = await stack.redroverJson<{ id: string }>([...four, '--yes']);
      expect([...(await slotsByShard()).values()]).toEqual([4096, 4096, 4096, 4096]);
      await shop.untilHealthy({ masters: 4, replicas: 4 });
      expect(await shop.keysLost()).toBe(0);
      expect(await shop.rolesAway()).toEqual([]);
      const { attempts } = await stack.redroverJson<OperationJson>(['op', 'show', id]);
      const moved = attempts.flatMap(({ move }) => move ?? []);
      expect(moved.reduce((sum, { slotsMoved }) => sum + slotsMoved, 0)).toBe(4096);
      const again = await stack.redrover([...four, '--yes']);
      expect(again.stdout).toContain('nothing to do');
    });

    test('each node says itself that it has what the layout gives it', async () => {
      const { shards, nodes } = await stack.layout('shop');
      const seen = await stack.observations('shop');
      for (const { id, slots } of shards) {
        const master = nodes.find(({ shard, preferredRole }) => {
          return shard === id && preferredRole === 'master';
        });
        const redis = seen.find(({ key }) => key === master?.key)?.redis;
        const self = redis?.view.nodes.find(({ nodeId }) => nodeId === redis.nodeId);
        expect(formatRanges(self?.slots ?? [])).toBe(formatRanges(slots));
      }
    });

    test('a shard that goes gives its slots away, is forgotten, and its data is kept', async () => {
      const before = await shop.nodes();
      const leaving = before.filter(({ shard }) => shard === 's4');
      await succeed(stack, ...scale, '--shards', '3', '--yes');
      await shop.untilHealthy();
      expect(await shop.keysLost()).toBe(0);
      const sizes = [...(await slotsByShard()).values()].toSorted();
      expect(sizes).toEqual([5461, 5461, 5462]);
      const known = await shop.ask(await shop.someNode(), 'CLUSTER', 'NODES');
      for (const { id } of leaving) expect(known).not.toContain(id);
      for (const { host, port } of leaving) {
        const trash = readdirSync(join(stack.stack.paths.hostRoot(host), 'trash'));
        expect(trash.some((name) => name.includes(String(port)))).toBe(true);
      }
    });

    test('a shard that comes later is no other that was there before', async () => {
      await succeed(stack, ...four, '--yes');
      expect([...(await slotsByShard()).keys()]).toEqual(['s1', 's2', 's3', 's5']);
      await shop.untilHealthy({ masters: 4, replicas: 4 });
      expect(await shop.keysLost()).toBe(0);
    });
  });
}
