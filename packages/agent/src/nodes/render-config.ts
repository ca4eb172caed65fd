/**
 * Renders a node's redis.conf from its plan. Pure: same plan, same text.
 *
 * An option that a release does not know is never written: the server would refuse to start. Whether
 * the operator's own options are right is found by `preflight.ts`, with the real binary.
 */
import { compareVersions, RedroverError, reservedReason, type NodePlan } from '@redrover/core';
import { busPortOf } from '@redrover/core';
import { quoteArgument, staysInLine } from './config-syntax.ts';
import {
  AOF_DIRECTORY_NAME,
  AOF_NAME,
  CLUSTER_CONFIG_NAME,
  RDB_NAME,
  type NodePaths,
} from './paths.ts';

export interface ConfigSecrets {
  /** Of the user `default`, for clients and between the nodes. */
  readonly password: string;
}

/**
 * `net.core.somaxconn` as host tuning sets it. The kernel takes the smaller of the two, so on a host
 * that is not tuned this costs one warning in the log.
 */
const TCP_BACKLOG = 20480;

/**
 * Below the `nofile` limit of 65535 that nodes are started with, so that bus links (two per other
 * node), AOF and RDB files have descriptors left: before Redis 6.2 they are not counted in.
 */
const MAX_CLIENTS = 60_000;

/** Before 6.2.2 replica migration is switched off by a barrier that no master can reach. */
const UNREACHABLE_MIGRATION_BARRIER = 1_000_000;

/** Seconds that a master waits at SHUTDOWN for replicas that lag behind; the server's own default. */
const SHUTDOWN_TIMEOUT_SECONDS = 10;

/** An option that has a default of ours, which the operator's own config may replace. */
interface DefaultOption {
  readonly name: string;
  readonly value: string;
  /** First version that knows it; undefined: 5.0 does. */
  readonly since?: string;
}

const DEFAULTS: readonly DefaultOption[] = [
  { name: 'tcp-backlog', value: `${TCP_BACKLOG}` },
  { name: 'tcp-keepalive', value: '300' },
  { name: 'timeout', value: '0' },
  { name: 'loglevel', value: 'notice' },
  { name: 'maxclients', value: `${MAX_CLIENTS}` },
  // The stale-master guard restarts a master by itself only with an AOF.
  { name: 'appendonly', value: 'yes' },
  { name: 'appendfsync', value: 'everysec' },
  // The default of 5 s delays each replica's first sync for nothing: a master has few replicas.
  { name: 'repl-diskless-sync-delay', value: '0' },
  { name: 'enable-debug-command', value: 'no', since: '7.0.0' },
  { name: 'enable-module-command', value: 'no', since: '7.0.0' },
  { name: 'enable-protected-configs', value: 'no', since: '7.0.0' },
  { name: 'shutdown-timeout', value: `${SHUTDOWN_TIMEOUT_SECONDS}`, since: '7.0.0' },
];

/**
 * @throws RedroverError `invalid-argument` for an option that Redrover owns, a value that does not
 * stay in its line, or a bus port that the release cannot have.
 */
export function renderConfig(plan: NodePlan, paths: NodePaths, secrets: ConfigSecrets): string {
  refuseBadOptions(plan);
  const sections: [string, readonly string[]][] = [
    ['Network', networkLines(plan)],
    ['Process and files', fileLines(paths)],
    ['Authentication', secretLines(secrets)],
    ['Cluster', clusterLines(plan)],
    ['Memory', memoryLines(plan)],
    ['Defaults of Redrover', defaultLines(plan)],
    ['From the spec', specLines(plan)],
  ];
  const head =
    `# ${plan.node.key} of cluster ${plan.cluster} (${plan.release}).\n` +
    '# Written by Redrover: change the spec instead, your edits will be lost.\n';
  const body = sections
    .filter(([, lines]) => lines.length > 0)
    .map(([title, lines]) => `\n# ${title}\n${lines.join('\n')}\n`);
  return head + body.join('');
}

/** Whether the release knows what came with `version` of Redis; every Valkey is newer than 7.2. */
export function knows(plan: NodePlan, version: string): boolean {
  return compareVersions(plan.version, version) >= 0;
}

/** Addresses 127.0.0.0/8 and ::1. */
export function isLoopback(address: string): boolean {
  return address === '::1' || /^127\.\d+\.\d+\.\d+$/.test(address);
}

function networkLines(plan: NodePlan): string[] {
  const { address, port } = plan.node;
  // Before 7.0 the first address is the source of bus and replication connections: the host's own
  // must come first, and a loopback host gets no second one.
  const bind = isLoopback(address) ? address : `${address} 127.0.0.1`;
  return [`bind ${bind}`, 'protected-mode yes', `port ${port}`];
}

function fileLines(paths: NodePaths): string[] {
  return [
    'daemonize no',
    'supervised no',
    `dir ${quoteArgument(paths.directory)}`,
    `pidfile ${quoteArgument(paths.pid)}`,
    `logfile ${quoteArgument(paths.log)}`,
    `dbfilename ${RDB_NAME}`,
    `appendfilename ${AOF_NAME}`,
  ];
}

function secretLines(secrets: ConfigSecrets): string[] {
  const password = quoteArgument(secrets.password);
  return [`requirepass ${password}`, `masterauth ${password}`];
}

function clusterLines(plan: NodePlan): string[] {
  const { address, port, busPort } = plan.node;
  const lines = [
    'cluster-enabled yes',
    `cluster-config-file ${CLUSTER_CONFIG_NAME}`,
    `cluster-node-timeout ${plan.nodeTimeoutMs}`,
    `cluster-announce-ip ${address}`,
  ];
  if (busPort !== busPortOf(port)) lines.push(`cluster-port ${busPort}`);
  // Redis' own replica migration ignores which host a replica is on, and it turns a drained master
  // into a replica by surprise.
  lines.push(
    knows(plan, '6.2.2')
      ? 'cluster-allow-replica-migration no'
      : `cluster-migration-barrier ${UNREACHABLE_MIGRATION_BARRIER}`,
  );
  if (knows(plan, '7.0.0')) lines.push(`appenddirname ${AOF_DIRECTORY_NAME}`);
  return lines;
}

function memoryLines(plan: NodePlan): string[] {
  return plan.maxmemoryBytes === undefined ? [] : [`maxmemory ${plan.maxmemoryBytes}`];
}

function defaultLines(plan: NodePlan): string[] {
  return DEFAULTS.filter(
    ({ name, since }) =>
      !Object.hasOwn(plan.config, name) && (since === undefined || knows(plan, since)),
  ).map(({ name, value }) => `${name} ${value}`);
}

/** The value stands as the operator wrote it, for it may be several arguments (`save 900 1`). */
function specLines(plan: NodePlan): string[] {
  return Object.entries(plan.config)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name} ${value === '' ? '""' : value}`);
}

function refuseBadOptions(plan: NodePlan): void {
  const { key, port, busPort } = plan.node;
  for (const [name, value] of Object.entries(plan.config)) {
    const reason = reservedReason(name);
    if (reason !== undefined) {
      throw new RedroverError(
        'invalid-argument',
        `config of ${key}: the option ${name} cannot be set by a spec: ${reason}`,
      );
    }
    if (!/^[a-z0-9-]+$/.test(name) || !staysInLine(value)) {
      throw new RedroverError(
        'invalid-argument',
        `config of ${key}: ${JSON.stringify(name)} is not one option with a value in one line`,
      );
    }
  }
  if (!staysInLine(plan.node.address) || /[\s"]/.test(plan.node.address)) {
    throw new RedroverError('invalid-argument', `${key}: ${plan.node.address} is not an address`);
  }
  if (busPort !== busPortOf(port) && !knows(plan, '7.0.0')) {
    throw new RedroverError(
      'invalid-argument',
      `${key}: bus port ${busPort} needs Redis 7.0 or later; ${plan.release} always uses ` +
        `port + 10000 = ${busPortOf(port)}`,
    );
  }
}
