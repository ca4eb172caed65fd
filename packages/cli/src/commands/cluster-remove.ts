/** `redrover cluster rm`: shows what would go, has the name typed, then stops and removes. */
import { operationFromProto } from '@redrover/wire';

import { ExitCode } from '../exit-code.ts';
import { argumentAt, flagOption } from '../program/define-command.ts';
import type { Handler } from '../program/define-command.ts';
import { countSteps, renderPlan, toPlanView } from '../render/plan-view.ts';
import { present } from '../render/present.ts';
import { reportDetached } from './approve-plans.ts';
import { followAll } from './follow.ts';

export const removeCluster: Handler = async (session, invocation) => {
  const { api, output } = session;
  const cluster = argumentAt(invocation, 0);
  const purge = flagOption(invocation, 'purge');
  const answer = await api.clusters.planRemoval({ cluster, purge });
  const plan = toPlanView(present(answer.plan, 'plan'));
  const { style } = output.notes;
  output.note(renderPlan(plan, output.notes));
  output.note(
    purge
      ? style.bad(`All data of ${cluster} will be deleted. This cannot be undone.`)
      : `Clients of ${cluster} lose it; its data goes to the trash folder of each host.`,
  );
  const question = `Type the name of the cluster to remove it (${cluster}): `;
  if (!(await session.confirmByTyping(question, cluster))) {
    output.note('That is not its name: nothing was changed.');
    return ExitCode.failed;
  }
  const removal = await api.clusters.removeCluster({
    cluster,
    purge,
    fingerprint: plan.fingerprint,
  });
  const operation = operationFromProto(present(removal.operation, 'operation'));
  return flagOption(invocation, 'detach')
    ? reportDetached(session, [operation])
    : followAll(session, [{ operation, foreseenSteps: countSteps(plan) }]);
};
