/** `redrover cluster …`: which commands there are; each has a file of its own or a short handler here. */
import type { Waiting } from '@redrover/core';
import { waitingFromProto } from '@redrover/wire';
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';

import type { Api } from '../connection/api.ts';
import { ExitCode } from '../exit-code.ts';
import { argumentAt } from '../program/define-command.ts';
import type { Attach, Handler } from '../program/define-command.ts';
import { toSummaryView } from '../render/cluster-view.ts';
import { renderCluster, renderClusters, renderNodes } from '../render/topology.ts';
import { applyCluster, planCluster } from './cluster-apply.ts';
import { checkCluster } from './cluster-check.ts';
import { connectCluster } from './cluster-connect.ts';
import { fetchCluster } from './fetch-cluster.ts';
import { removeCluster } from './cluster-remove.ts';
import { defineRepair } from './cluster-repair.ts';
import { defineReshards } from './cluster-reshard.ts';
import { defineScale } from './cluster-scale.ts';
import { defineWhatIf } from './cluster-what-if.ts';
import { withMoveOptions } from './move-options.ts';
import { SPEC_HELP, withSpecOptions } from './spec-option.ts';

const MAX_LOG_LINES = 10_000;

export function defineClusterCommands(program: Command, attach: Attach): void {
  const cluster = program
    .command('cluster')
    .description('clusters: plan, create, look, check, scale, repair');
  defineChanges(cluster, attach);
  attach(cluster.command('ls').description('list the clusters'), listClusters);
  attach(
    cluster.command('show').description('topology: shards, roles, slots').argument('<name>'),
    showCluster,
  );
  attach(
    cluster
      .command('nodes')
      .description('every node: process, replication, memory, and whether its view differs')
      .argument('<name>'),
    showNodes,
  );
  attach(
    cluster
      .command('check')
      .description('examine a cluster now (exit code 2: there are findings)')
      .argument('<name>'),
    checkCluster,
  );
  defineWhatIf(cluster, attach);
  attach(
    cluster.command('credentials').description('user name and password').argument('<name>'),
    showCredentials,
  );
  attach(
    cluster
      .command('connect')
      .description('open redis-cli on a cluster; arguments after -- are for redis-cli')
      .argument('<name>')
      .argument('[redis-cli-arguments...]')
      .option('--node <host:port>', 'the node to start at; else a master that answers'),
    connectCluster,
  );
  attach(
    cluster
      .command('logs')
      .description("the end of a node's log")
      .argument('<name>')
      .argument('<node>', 'such as h1:6379')
      .option('-n, --lines <count>', 'how many lines', parseLineCount, 50),
    showLog,
  );
}

function defineChanges(cluster: Command, attach: Attach): void {
  attach(
    withMoveOptions(
      withSpecOptions(
        cluster
          .command('plan')
          .description('show what a spec would do (exit code 2: changes)')
          .addHelpText('after', SPEC_HELP),
      ),
    ),
    planCluster,
  );
  attach(
    withMoveOptions(
      withSpecOptions(
        cluster
          .command('apply')
          .description('show the plan, ask, and carry it out')
          .addHelpText('after', '\nWhat a spec may say: `redrover cluster plan --help`.'),
      ).option('--detach', 'do not wait for the end'),
    ),
    applyCluster,
  );
  defineScale(cluster, attach);
  defineReshards(cluster, attach);
  defineRepair(cluster, attach);
  attach(
    cluster
      .command('rm')
      .description('stop a cluster and remove it; the data goes to a trash folder')
      .argument('<name>')
      .option('--purge', 'delete the data instead')
      .option('--detach', 'do not wait for the end'),
    removeCluster,
  );
}

const listClusters: Handler = async ({ api, output }) => {
  const { clusters } = await api.clusters.listClusters({});
  const views = clusters.map(toSummaryView);
  output.result(views, (view) => renderClusters(views, view));
  return ExitCode.done;
};

const showCluster: Handler = async ({ api, output }, invocation) => {
  const details = await fetchCluster(api, argumentAt(invocation, 0));
  const waits = await listWaits(api, details.operation?.id);
  output.result({ ...details, waits }, (view) => renderCluster(details, waits, view));
  return ExitCode.done;
};

/** What an operation that is under way waits for. */
async function listWaits(api: Api, operation: string | undefined): Promise<readonly Waiting[]> {
  if (operation === undefined) return [];
  const { waits } = await api.operations.getOperation({ operation });
  return waits.map((each) => waitingFromProto(each));
}

const showNodes: Handler = async ({ api, output }, invocation) => {
  const { nodes } = await fetchCluster(api, argumentAt(invocation, 0));
  output.result(nodes, (view) => renderNodes(nodes, view));
  return ExitCode.done;
};

const showCredentials: Handler = async ({ api, output }, invocation) => {
  const cluster = argumentAt(invocation, 0);
  const { username, password } = await api.clusters.getCredentials({ cluster });
  output.result({ username, password }, () => `username: ${username}\npassword: ${password}`);
  return ExitCode.done;
};

const showLog: Handler = async ({ api, output }, invocation) => {
  const { lines } = await api.clusters.tailNodeLog({
    cluster: argumentAt(invocation, 0),
    node: argumentAt(invocation, 1),
    lines: invocation.options['lines'] as number,
  });
  output.result(lines, () => lines.join('\n'));
  return ExitCode.done;
};

function parseLineCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= MAX_LOG_LINES) return count;
  throw new InvalidArgumentError(`expected 1 to ${MAX_LOG_LINES}.`);
}
