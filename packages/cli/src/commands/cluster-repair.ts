/** `redrover cluster repair`: brings a cluster back to the layout that is in force. */
import { operationFromProto } from '@redrover/wire';
import type { Command } from 'commander';

import { ExitCode } from '../exit-code.ts';
import { argumentAt, flagOption } from '../program/define-command.ts';
import type { Attach, Handler } from '../program/define-command.ts';
import type { Session } from '../program/session.ts';
import { compareNodes } from '../render/node-changes.ts';
import { isBlocked, toPlanView } from '../render/plan-view.ts';
import type { PlanView } from '../render/plan-view.ts';
import { present } from '../render/present.ts';
import { renderRepair } from '../render/repair-view.ts';
import { approvePlans, joinOperations, planOrJoin, withChangeOptions } from './approve-plans.ts';
import { fetchCluster } from './fetch-cluster.ts';

const HELP = `
Failovers leave masters where the layout does not want them, and the next loss may then take the
majority. A repair brings masters home, one handoff at a time and only to a replica in sync, makes
nodes anew whose directory or identity is gone, and makes every node forget ids that are gone. What
it cannot do now, as of a host that is lost, is shown with the plan and left for later.

Examples:
  redrover cluster repair shop              show the plan, ask, carry it out
  redrover cluster repair shop --plan       only show it
  redrover cluster repair shop --yes        do not ask

With \`repair: auto\` in its spec a cluster repairs itself: see \`redrover cluster plan --help\`.`;

export function defineRepair(cluster: Command, attach: Attach): void {
  const command = cluster
    .command('repair')
    .description('bring masters home and make stuck nodes anew: show the plan, ask, carry it out')
    .argument('<name>')
    .addHelpText('after', HELP);
  attach(withChangeOptions(command), repairCluster);
}

const repairCluster: Handler = async (session, invocation) => {
  const { api, output } = session;
  const cluster = argumentAt(invocation, 0);
  const { planned: plan, running } = await planOrJoin(session, {
    plan: () => fetchRepairPlan(session, cluster),
    isSame: ({ kind }) => kind === 'repair',
  });
  if (running !== undefined) return joinOperations(session, invocation, [running]);
  const { nodes } = await fetchCluster(api, cluster);
  const changes = compareNodes({ nodes, next: plan.layout });
  const value = { ...plan, changes };
  if (flagOption(invocation, 'plan')) {
    output.result(value, (view) => renderRepair(value, view));
    if (isBlocked(plan)) return ExitCode.failed;
    return plan.empty ? ExitCode.done : ExitCode.attention;
  }
  if (plan.empty) {
    output.result({ empty: true, changes, findings: plan.findings }, (view) =>
      renderRepair(value, view),
    );
    return ExitCode.done;
  }
  output.note(renderRepair(value, output.notes));
  return approvePlans(session, invocation, {
    plans: [plan],
    question: `Repair ${cluster} like this?`,
    apply: async () => {
      const { fingerprint } = plan;
      const { operation } = await api.clusters.repairCluster({ cluster, fingerprint });
      return [operationFromProto(present(operation, 'operation'))];
    },
  });
};

async function fetchRepairPlan({ api }: Session, cluster: string): Promise<PlanView> {
  const { plan } = await api.clusters.planRepair({ cluster });
  return toPlanView(present(plan, 'plan'));
}
