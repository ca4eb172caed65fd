/** What is killed and comes back: by itself, by its agent, or as an init system would start it again. */
import { setTimeout as delay } from 'node:timers/promises';

import type { Kill, MovingPair } from './campaign.ts';
import type { MoveCluster, MoveNode } from './move-cluster.ts';
import type { Random } from './random.ts';
import {
  cutConnections,
  findMovers,
  killAgent,
  killController,
  killNow,
  serverOf,
  untilServes,
  type ConnectionType,
} from './victims.ts';

/** Before the controller or an agent is started again. */
const MAX_AWAY_MS = 1_500;

type Kind = 'controller' | 'agent' | 'mover' | 'connections' | 'server' | 'agent+server';

const KINDS: readonly Kind[] = [
  'controller',
  'agent',
  'mover',
  'mover',
  'connections',
  'server',
  'server',
  'agent+server',
];

export function returningKills(cluster: MoveCluster, random: Random) {
  return async (moving: readonly MovingPair[]): Promise<Kill> => {
    const fromMs = Date.now();
    const kind = random.pick(KINDS);
    const node = chooseNode(cluster, random, moving);
    const name = await carryOut(kind, { cluster, random, node });
    return { name, fromMs, untilMs: Date.now(), isOutage: name.includes('server') };
  };
}

/** Mostly an end of a move. */
export function chooseNode(
  { nodes }: MoveCluster,
  random: Random,
  moving: readonly MovingPair[],
): MoveNode {
  const ends = new Set(moving.flatMap(({ source, target }) => [source, target]));
  const busy = nodes.filter(({ key }) => ends.has(key));
  return random.pick(busy.length > 0 && random.chance(0.8) ? busy : nodes);
}

interface Victim {
  readonly cluster: MoveCluster;
  readonly random: Random;
  readonly node: MoveNode;
}

async function carryOut(kind: Kind, { cluster, random, node }: Victim): Promise<string> {
  const { stack } = cluster.stack;
  const rest = (): Promise<void> => delay(random.integer(0, MAX_AWAY_MS));
  switch (kind) {
    case 'controller':
      await killController(cluster);
      await rest();
      await stack.startController();
      return kind;
    case 'agent':
      await killAgent(cluster, node.hostName);
      await rest();
      await stack.startAgent(node.hostName);
      return `agent ${node.hostName}`;
    case 'mover': {
      // The atomic engines have none: there the servers' own connections are what the move hangs on.
      const movers = findMovers(cluster);
      if (movers.length === 0) return carryOut('connections', { cluster, random, node });
      await killNow(random.pick(movers));
      return kind;
    }
    case 'connections': {
      const type = random.pick<ConnectionType>(['normal', 'normal', 'replica', 'master']);
      await cutConnections(cluster, node, type);
      return `connections of type ${type} of ${node.key}`;
    }
    case 'server':
      await killNow(await serverOf(cluster, node));
      await untilServes(cluster, node);
      return `server ${node.key}`;
    case 'agent+server': {
      const server = await serverOf(cluster, node);
      await killAgent(cluster, node.hostName);
      await killNow(server);
      await rest();
      await stack.startAgent(node.hostName);
      await untilServes(cluster, node);
      return `agent+server ${node.key}`;
    }
  }
}
