/**
 * The options of redis.conf that a spec may not set, because Redrover decides them or depends on
 * them, each with what to do instead.
 *
 * Whether a release knows an option, and whether its value is right, is found by starting the real
 * binary on the rendered config, not here.
 */

const NETWORK = 'Redrover sets it from the host and port of each node; use placement or nodes';
const FILES = 'Redrover gives each node a directory of its own and fixes the file names in it';
const PROCESS = 'Redrover supervises the process and finds it again by its pid and command line';
const SECRETS = 'Redrover generates and keeps the passwords (redrover cluster credentials)';
const ROLES = 'Redrover sets it while a cluster is created or changed';
const SPREAD =
  "Redrover keeps Redis' own replica migration off, as that ignores which host a node is on";

const RESERVED: ReadonlyMap<string, string> = new Map([
  ['port', NETWORK],
  ['bind', NETWORK],
  ['bind-source-addr', NETWORK],
  ['protected-mode', NETWORK],
  ['unixsocket', NETWORK],
  ['unixsocketperm', NETWORK],
  ['cluster-port', NETWORK],
  ['cluster-announce-ip', NETWORK],
  ['cluster-announce-port', NETWORK],
  ['cluster-announce-bus-port', NETWORK],
  ['cluster-announce-tls-port', NETWORK],
  ['replica-announce-ip', NETWORK],
  ['replica-announce-port', NETWORK],
  ['slave-announce-ip', NETWORK],
  ['slave-announce-port', NETWORK],
  ['dir', FILES],
  ['dbfilename', FILES],
  ['appendfilename', FILES],
  ['appenddirname', FILES],
  ['cluster-config-file', FILES],
  ['logfile', FILES],
  ['include', 'only options written in the spec itself are checked; write them under config'],
  ['loadmodule', 'a module is a file that would have to be on every host, which is not supported'],
  ['pidfile', PROCESS],
  ['daemonize', PROCESS],
  ['supervised', PROCESS],
  ['set-proc-title', PROCESS],
  ['proc-title-template', PROCESS],
  ['requirepass', SECRETS],
  ['masterauth', SECRETS],
  ['masteruser', SECRETS],
  ['aclfile', SECRETS],
  ['user', SECRETS],
  ['rename-command', 'Redrover needs the commands under their own names; use ACL rules instead'],
  ['cluster-enabled', 'every node that Redrover runs is a cluster node'],
  ['cluster-node-timeout', 'use the field nodeTimeoutMs of the spec'],
  ['maxmemory', 'use the field maxmemory of the spec, which placement checks against the hosts'],
  ['replicaof', ROLES],
  ['slaveof', ROLES],
  ['cluster-replica-no-failover', ROLES],
  ['cluster-slave-no-failover', ROLES],
  ['cluster-allow-replica-migration', SPREAD],
  ['cluster-migration-barrier', SPREAD],
]);

const TLS = 'Redrover would have to manage certificates on every host, which is not supported';

/** Why the option is refused and what to use instead; undefined when a spec may set it. */
export function reservedReason(option: string): string | undefined {
  if (option.startsWith('tls-')) return TLS;
  return RESERVED.get(option);
}
