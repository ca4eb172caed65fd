/** Puts the desk of moves together with the engines that this agent has. */
import { dirname, join } from 'node:path';
import type { Logger } from 'pino';
import type { AgentPaths } from '../nodes/paths.ts';
import type { NodeRegistry } from '../supervise/node-registry.ts';
import { AtomicDriver } from './atomic/atomic-driver.ts';
import { redisProtocol } from './atomic/redis-protocol.ts';
import { valkeyProtocol } from './atomic/valkey-protocol.ts';
import { MoveDesk } from './move-desk.ts';
import { ProcessDriver } from './process-driver.ts';

/** Beside the agent's own bundle. */
const MOVER = 'redrover-mover.mjs';

export interface CreateDeskOptions {
  readonly paths: AgentPaths;
  readonly nodes: NodeRegistry;
  readonly isConnected: () => boolean;
  readonly now: () => number;
  readonly log: Logger;
}

export function createMoveDesk({ paths, nodes, ...rest }: CreateDeskOptions): MoveDesk {
  const [, script = ''] = process.argv;
  const migrate = new ProcessDriver({
    directory: paths.movers,
    command: [process.execPath, join(dirname(script), MOVER)],
    recordOf: (node) => join(paths.records, `${nodes.get(node).record.port}.json`),
  });
  const drivers = {
    migrate,
    'redis-atomic': new AtomicDriver(redisProtocol, paths.movers),
    'valkey-atomic': new AtomicDriver(valkeyProtocol, paths.movers),
  };
  return new MoveDesk({ directory: paths.movers, nodes, drivers, ...rest });
}
