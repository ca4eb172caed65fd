/** `redrover cluster repair`: brings a cluster back to the layout that is in force. */
import type { MoveOptions } from '@redrover/core';
import { moveOptionsToProto, operationFromProto } from '@redrover/wire';
import type { Command } from 'commander';

import { ExitCode } from '../exit-code.ts';
import { argumentAt, flagOption } from '../program/define-command.ts';
import type { Attach, Handler } from '../program/define-command.ts';
import type { Session } from '../program/session.ts';
import { toChangePlan } from '../render/change-view.ts';
import { isBlocked, toPlanView } from '../render/plan-view.ts';
import type { PlanView } from '../render/plan-view.ts';
import { present } from '../render/present.ts';
import { renderRepair } from '../render/repair-view.ts';
import { approvePlans, joinOperations, planOrJoin, withChangeOptions } from './approve-plans.ts';
import { fetchCluster } from './fetch-cluster.ts';
import { PLAN_TIMEOUT_MS, readMoveOptions, withMoveOptions } from './move-options.ts';

const HELP = `
Failovers leave masters where the layout does not want them, and the next loss may then take the
majority. A repair brings masters home, one handoff at a time and only to a replica in sync, makes
nodes anew whose directory or identity is gone, makes every node forget ids that are gone, and goes
on with slots that were left half way, whoever left them. What it cannot do now, as of a host that
is lost, is shown with the plan and left for later.

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
  attach(withMoveOptions(withChangeOptions(command)), repairCluster);
}

const repairCluster: Handler = async (session, invocation) => {
  const { api, output } = session;
  const cluster = argumentAt(invocation, 0);
  const move = readMoveOptions(invocation);
  const { planned, running } = await planOrJoin(session, {
    plan: () => fetchRepairPlan(session, cluster, move),
    isSame: ({ kind }) => kind === 'repair',
  });
  if (running !== undefined) return joinOperations(session, invocation, [running]);
  const plan = toChangePlan(planned, await fetchCluster(api, cluster));
  if (flagOption(invocation, 'plan')) {
    output.result(plan, (view) => renderRepair(plan, view));
    if (isBlocked(plan)) return ExitCode.failed;
    return plan.empty ? ExitCode.done : ExitCode.attention;
  }
  if (plan.empty) {
    const { changes, findings } = plan;
    output.result({ empty: true, changes, findings }, (view) => renderRepair(plan, view));
    return ExitCode.done;
  }
  output.note(renderRepair(plan, output.notes));
  return approvePlans(session, invocation, {
    plans: [plan],
    question: `Repair ${cluster} like this?`,
    apply: async () => {
      const { fingerprint } = plan;
      const { operation } = await api.clusters.repairCluster(
        { cluster, fingerprint, move: moveOptionsToProto(move) },
        session.allow(PLAN_TIMEOUT_MS),
      );
      return [operationFromProto(present(operation, 'operation'))];
    },
  });
};

async function fetchRepairPlan(
  session: Session,
  cluster: string,
  move: MoveOptions,
): Promise<PlanView> {
  const { plan } = await session.api.clusters.planRepair(
    { cluster, move: moveOptionsToProto(move) },
    session.allow(PLAN_TIMEOUT_MS),
  );
  return toPlanView(present(plan, 'plan'));
}
