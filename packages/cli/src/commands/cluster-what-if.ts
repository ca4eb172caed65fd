/** `redrover cluster what-if`: what the loss of a host or zone would cost now. */
import type { DomainOutcome } from '@redrover/proto';
import type { Command } from 'commander';
import { Option } from 'commander';

import type { Api } from '../connection/api.ts';
import { ExitCode } from '../exit-code.ts';
import { argumentAt, textOption } from '../program/define-command.ts';
import type { Attach, Handler } from '../program/define-command.ts';
import { present } from '../render/present.ts';
import { renderAccount } from '../render/what-if-account.ts';
import { renderOutcomes, toOutcomeView } from '../render/what-if-view.ts';

const HELP = `
Reckoned from the roles that the nodes have now, which after a failover are not those of the layout.
Only replicas that are in sync count. Without --host or --zone each host of the cluster that is not
lost is shown, and each zone if there are any.

Examples:
  redrover cluster what-if shop             a line for each host
  redrover cluster what-if shop --host h2   one loss in words
  redrover cluster what-if shop --zone a

Exit code 2: at least one loss that is shown takes slots or the majority.`;

export function defineWhatIf(cluster: Command, attach: Attach): void {
  const command = cluster
    .command('what-if')
    .description('what would be lost with a host or zone now (exit code 2: slots or the majority)')
    .argument('<name>')
    .addOption(new Option('--host <host>', 'only this host, in words').conflicts('zone'))
    .addOption(new Option('--zone <zone>', 'only this zone, in words'))
    .addHelpText('after', HELP);
  attach(command, whatIf);
}

const whatIf: Handler = async ({ api, output }, invocation) => {
  const cluster = argumentAt(invocation, 0);
  const host = textOption(invocation, 'host') ?? '';
  const zone = textOption(invocation, 'zone') ?? '';
  const isScoped = host !== '' || zone !== '';
  const answer = await api.clusters.whatIf({ cluster, host, zone });
  const ofZones = isScoped ? [] : await askForZones(api, cluster);
  const outcomes = [...answer.outcomes, ...ofZones].map(toOutcomeView);
  const survived = outcomes.every((outcome) => outcome.survived);
  output.result({ cluster, survived, outcomes }, (view) =>
    isScoped
      ? outcomes.map((outcome) => renderAccount({ cluster, outcome }, view)).join('\n\n')
      : renderOutcomes(outcomes, view),
  );
  return survived ? ExitCode.done : ExitCode.attention;
};

/** Of each zone that hosts of the cluster are in; none where hosts have no such label. */
async function askForZones(api: Api, cluster: string): Promise<DomainOutcome[]> {
  const [{ layout }, { hosts }] = await Promise.all([
    api.clusters.getCluster({ cluster }),
    api.hosts.listHosts({}),
  ]);
  const { nodes, zoneLabel } = present(layout, 'layout');
  const used = new Set(nodes.map((node) => node.host));
  const zones = hosts
    .filter(({ name }) => used.has(name))
    .flatMap(({ labels }) => labels[zoneLabel] || []);
  const answers = await Promise.all(
    [...new Set(zones)].map((zone) => api.clusters.whatIf({ cluster, host: '', zone })),
  );
  return answers.flatMap(({ outcomes }) => outcomes);
}
