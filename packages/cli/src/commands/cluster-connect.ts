/** `redrover cluster connect`: a redis-cli session whose password is in no command line. */
import { RedroverError } from '@redrover/core';
import { hostFactsFromProto } from '@redrover/wire';
import { spawn } from 'node:child_process';
import { accessSync, constants, readdirSync } from 'node:fs';
import { constants as osConstants } from 'node:os';
import { delimiter, join } from 'node:path';

import { ExitCode } from '../exit-code.ts';
import { argumentAt, textOption } from '../program/define-command.ts';
import type { Handler } from '../program/define-command.ts';
import type { Session } from '../program/session.ts';
import { UsageError } from '../program/usage-error.ts';
import type { ClusterDetails, NodeView } from '../render/cluster-view.ts';
import { fetchCluster } from './fetch-cluster.ts';

const CLIENT_NAMES = ['redis-cli', 'valkey-cli'];

export const connectCluster: Handler = async (session, invocation) => {
  const name = argumentAt(invocation, 0);
  const passed = invocation.args.slice(1);
  const details = await fetchCluster(session.api, name);
  const node = chooseNode(details, textOption(invocation, 'node'));
  const { username, password } = await session.api.clusters.getCredentials({ cluster: name });
  const client = await findClient(session, details);
  if (client === undefined) throw noClient(name, node);
  const address = ['-h', node.address, '-p', String(node.port)];
  const args = ['-c', ...address, '--user', username, '--no-auth-warning', ...passed];
  return runClient(client, args, { ...session.terminal.env, REDISCLI_AUTH: password });
};

function chooseNode({ name, nodes }: ClusterDetails, wanted: string | undefined): NodeView {
  const node =
    wanted === undefined
      ? (nodes.find(({ role, state }) => role === 'master' && state === 'running') ??
        nodes.find(({ state }) => state === 'running'))
      : nodes.find(({ key, address, port }) => key === wanted || `${address}:${port}` === wanted);
  if (node !== undefined) return node;
  if (wanted === undefined) {
    throw new RedroverError(
      'failed-precondition',
      `no node of ${name} is running; see \`redrover cluster nodes ${name}\``,
    );
  }
  const known = nodes.map(({ key }) => key).join(', ');
  throw new UsageError(`${name} has no node ${wanted}; its nodes are ${known}`);
}

/** The client of the cluster's own build if it is on this machine, else one in the PATH. */
async function findClient(session: Session, details: ClusterDetails): Promise<string | undefined> {
  const { hosts } = await session.api.hosts.listHosts({});
  const roots = hosts.flatMap(({ facts }) =>
    facts === undefined ? [] : [hostFactsFromProto(facts).rootDirectory],
  );
  const builds = roots.flatMap((root) => buildsUnder(join(root, 'releases'), details.release));
  const inPath = (session.terminal.env['PATH'] ?? '').split(delimiter).filter(Boolean);
  return [...builds, ...inPath]
    .flatMap((directory) => CLIENT_NAMES.map((name) => join(directory, name)))
    .find(isExecutable);
}

/** The `bin` directories of a release; none when the host is another machine. */
function buildsUnder(releases: string, release: string): string[] {
  try {
    return readdirSync(releases)
      .filter((name) => name.startsWith(`${release}-`))
      .map((name) => join(releases, name, 'bin'));
  } catch {
    // The root of a host that is not this one, or not ours to read: no client from there.
    return [];
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Not there, or not for us: the next candidate may be.
    return false;
  }
}

function noClient(name: string, node: NodeView): RedroverError {
  return new RedroverError(
    'not-found',
    `there is no redis-cli on this machine. Where there is one, put the password that ` +
      `\`redrover cluster credentials ${name}\` prints into REDISCLI_AUTH and run: ` +
      `redis-cli -c -h ${node.address} -p ${node.port}`,
  );
}

async function runClient(
  client: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<ExitCode> {
  const child = spawn(client, [...args], { stdio: 'inherit', env });
  // Ctrl-C is for the client, which shares the terminal; it is only outlived here.
  const outlive = (): void => {};
  process.on('SIGINT', outlive);
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (status, signal) => {
        resolve(status ?? 128 + (signal === null ? 0 : osConstants.signals[signal]));
      });
    });
    return code === 0 ? ExitCode.done : ExitCode.failed;
  } finally {
    process.off('SIGINT', outlive);
  }
}
