/**
 * Servers that are away until their replica was elected, and come back after it: one at a time, and the next
 * only when every shard has its copy again, since Redis itself promises nothing else.
 */
import { setTimeout as delay } from 'node:timers/promises';

import { until } from '../until.ts';
import type { Kill, MovingPair } from './campaign.ts';
import type { MoveCluster, MoveNode } from './move-cluster.ts';
import { withNode } from './raw-nodes.ts';
import type { Random } from './random.ts';
import {
  hold,
  killAgent,
  killNow,
  letGo,
  roleOf,
  serverOf,
  untilMaster,
  untilServes,
} from './victims.ts';

/** A held node comes back with all that it had; now and then a host is away for longer than needed. */
const MAX_LONGER_AWAY_MS = 1_500;
const IN_SYNC_WITHIN_MS = 90_000;

export function replacedKills(cluster: MoveCluster, random: Random) {
  return async (moving: readonly MovingPair[]): Promise<Kill> => {
    await untilCopied(cluster);
    const node = await chooseMaster(cluster, random, moving);
    const others = cluster.nodes.filter(
      ({ shard, key }) => shard === node.shard && key !== node.key,
    );
    const isHeld = random.chance(0.35);
    const longerMs = random.integer(0, MAX_LONGER_AWAY_MS);
    const server = await serverOf(cluster, node);
    const fromMs = Date.now();
    if (isHeld) {
      hold(server);
      try {
        await untilMaster(cluster, others);
        await delay(longerMs);
      } finally {
        letGo(server);
      }
    } else {
      await killAgent(cluster, node.hostName);
      await killNow(server);
      await untilMaster(cluster, others);
      await delay(longerMs);
      await cluster.stack.stack.startAgent(node.hostName);
    }
    await untilServes(cluster, node);
    const name = `${isHeld ? 'held' : 'killed'} server ${node.key}`;
    return { name, fromMs, untilMs: Date.now(), isOutage: true };
  };
}

async function chooseMaster(
  cluster: MoveCluster,
  random: Random,
  moving: readonly MovingPair[],
): Promise<MoveNode> {
  const roles = await Promise.all(cluster.nodes.map((node) => roleOf(cluster, node)));
  const masters = cluster.nodes.filter((_, index) => roles[index] === 'master');
  const ends = new Set(moving.flatMap(({ source, target }) => [source, target]));
  const busy = masters.filter(({ key }) => ends.has(key));
  return random.pick(busy.length > 0 ? busy : masters);
}

/** Every replica follows and has what its master has, save the last moment's. */
async function untilCopied(cluster: MoveCluster): Promise<void> {
  await until(
    'every shard to have a copy',
    async () => {
      const infos = await Promise.all(
        cluster.nodes.map((node) =>
          withNode(node, cluster.password, (client) => client.info('replication')),
        ),
      );
      const masters = infos.filter((info) => info.includes('role:master'));
      const copies = infos.filter((info) => info.includes('master_link_status:up'));
      const known = masters.filter((info) => /slave0:.*state=online.*lag=[01]\b/.test(info));
      return known.length === masters.length && masters.length + copies.length === infos.length;
    },
    IN_SYNC_WITHIN_MS,
  );
}
