/** Where everything of a node lies under the agent's root. No file is touched here. */
import { join } from 'node:path';

export interface AgentPaths {
  /** Absolute; default `/usr/local/redis`. */
  readonly root: string;
  /** The agent's own state. */
  readonly state: string;
  /** One file per node: what it should do and what was last seen of it. */
  readonly records: string;
  /** Scratch directories of preflights. */
  readonly preflight: string;
  /** One directory per task that moves slots. */
  readonly movers: string;
  /** Directories of removed nodes. */
  readonly trash: string;
}

export interface NodePaths {
  readonly directory: string;
  readonly config: string;
  readonly log: string;
  /** What the server prints before it opens its log. */
  readonly stdio: string;
  readonly pid: string;
  /** `nodes.conf`: written by the server alone. */
  readonly clusterConfig: string;
  readonly marker: string;
}

export function agentPaths(root: string): AgentPaths {
  const state = join(root, 'agent');
  return {
    root,
    state,
    records: join(state, 'nodes'),
    preflight: join(state, 'preflight'),
    movers: join(state, 'movers'),
    trash: join(root, 'trash'),
  };
}

export function nodePaths(root: string, port: number): NodePaths {
  return pathsIn(join(root, `${port}`));
}

/** The same files in any directory: a node's own, or the scratch one of a preflight. */
export function pathsIn(directory: string): NodePaths {
  return {
    directory,
    config: join(directory, 'redis.conf'),
    log: join(directory, 'redis.log'),
    stdio: join(directory, 'stdio.log'),
    pid: join(directory, 'redis.pid'),
    clusterConfig: join(directory, CLUSTER_CONFIG_NAME),
    marker: join(directory, 'redrover.json'),
  };
}

export const CLUSTER_CONFIG_NAME = 'nodes.conf';
export const RDB_NAME = 'dump.rdb';
export const AOF_NAME = 'appendonly.aof';
/** Redis 7.0 and later keep the parts of the AOF in a directory (`appenddirname`). */
export const AOF_DIRECTORY_NAME = 'appendonlydir';
