/** `redrover host drain`, `undrain`, `replace`, `readdress`: one plan for each cluster on the host. */
import { describeHostChange } from '@redrover/core';
import type { HostChange, Operation } from '@redrover/core';
import type { HostChangePlans } from '@redrover/proto';
import { hostChangeToProto, operationFromProto } from '@redrover/wire';
import type { Command } from 'commander';

import { ExitCode } from '../exit-code.ts';
import { argumentAt, flagOption, textOption } from '../program/define-command.ts';
import type { Attach, Handler, Invocation } from '../program/define-command.ts';
import type { Session } from '../program/session.ts';
import { UsageError } from '../program/usage-error.ts';
import {
  explainAfterwards,
  explainNothingToDo,
  renderHostChange,
} from '../render/host-change-view.ts';
import type { HostChangePlan } from '../render/host-change-view.ts';
import { compareNodes } from '../render/node-changes.ts';
import { isBlocked, renderRefusal, toPlanView, toRefusalView } from '../render/plan-view.ts';
import { present } from '../render/present.ts';
import { approvePlans, joinOperations, planOrJoin, withChangeOptions } from './approve-plans.ts';
import { fetchCluster } from './fetch-cluster.ts';

const DRAIN_HELP = `
Masters are handed off to replicas in sync, one at a time, then the host's nodes are stopped; the
majority is kept throughout. Where that cannot be, it is refused with the reason. The data stays on
the host, so that \`undrain\` only has to catch up. With --move the nodes are laid out on other hosts
instead, and the host is left empty.

Examples:
  redrover host drain h2                    before a reboot or a new kernel
  redrover host undrain h2                  afterwards
  redrover host drain h2 --move             before the machine is given back`;

const UNDRAIN_HELP = `
The nodes start, catch up with their masters, and masters come home, one at a time.

Example:
  redrover host undrain h2`;

const REPLACE_HELP = `
For a host that is lost for good. Its nodes are laid out on the other host, get their data from the
shards they join, and all nodes forget the old ones. A host that is still there is not replaced but
drained: \`redrover host drain OLD --move\`.

Example:
  redrover host replace h2 --with h7`;

const READDRESS_HELP = `
For a host that came back with another address. First start its agent with the new one (--address),
until \`redrover host ls\` shows it; then its nodes are made to bind to it and to announce it.

Example:
  redrover host readdress h2`;

export function defineHostChanges(host: Command, attach: Attach): void {
  attach(
    withChangeOptions(
      host
        .command('drain')
        .description('for maintenance: hand masters off, then stop the nodes')
        .argument('<host>')
        .option('--move', 'lay the nodes out on other hosts instead of stopping them')
        .addHelpText('after', DRAIN_HELP),
    ),
    changeHost((invocation) => {
      const kind = flagOption(invocation, 'move') ? 'drainMove' : 'drain';
      return { kind, host: argumentAt(invocation, 0) };
    }),
  );
  attach(
    withChangeOptions(
      host
        .command('undrain')
        .description('after maintenance: start the nodes, and bring masters home')
        .argument('<host>')
        .addHelpText('after', UNDRAIN_HELP),
    ),
    changeHost((invocation) => ({ kind: 'undrain', host: argumentAt(invocation, 0) })),
  );
  attach(
    withChangeOptions(
      host
        .command('replace')
        .description('lay the nodes of a lost host out on another one')
        .argument('<old>')
        .requiredOption('--with <new>', 'the host that takes over')
        .addHelpText('after', REPLACE_HELP),
    ),
    changeHost(toReplacement),
  );
  attach(
    withChangeOptions(
      host
        .command('readdress')
        .description('make the nodes of a host use the address that it has now')
        .argument('<host>')
        .addHelpText('after', READDRESS_HELP),
    ),
    changeHost((invocation) => ({ kind: 'readdress', host: argumentAt(invocation, 0) })),
  );
}

function toReplacement(invocation: Invocation): HostChange {
  const host = argumentAt(invocation, 0);
  const successor = textOption(invocation, 'with') ?? '';
  if (successor === host) {
    throw new UsageError(`--with ${successor}: a host cannot replace itself; name another one`);
  }
  return { kind: 'replace', host, with: successor };
}

function changeHost(toChange: (invocation: Invocation) => HostChange): Handler {
  return async (session, invocation) => {
    const { output } = session;
    const change = toChange(invocation);
    const isSame = ({ reason }: Operation): boolean => reason === describeHostChange(change);
    const { planned, running } = await planOrJoin(session, {
      plan: () => fetchPlans(session, change),
      isSame,
    });
    if (running !== undefined) {
      const all = (await listUnderWay(session)).filter(isSame);
      return joinOperations(session, invocation, all, 'list');
    }
    if (planned.refusal !== undefined) {
      const { refusal } = planned;
      const headline = `It is not possible now to ${describeHostChange(change)}:`;
      output.result({ refusal }, (view) => renderRefusal(refusal, view, headline));
      return ExitCode.failed;
    }
    return decide(session, invocation, change, planned.plans);
  };
}

/** The same change may be under way on other clusters of the host, too. */
async function listUnderWay({ api }: Session): Promise<Operation[]> {
  const { operations } = await api.operations.listOperations({ cluster: '' });
  return operations
    .map((each) => operationFromProto(each))
    .filter(({ endedAtMs }) => endedAtMs === undefined);
}

async function decide(
  session: Session,
  invocation: Invocation,
  change: HostChange,
  plans: readonly HostChangePlan[],
): Promise<ExitCode> {
  const { output } = session;
  const open = plans.filter(({ empty }) => !empty);
  if (open.length === 0) {
    output.result({ empty: true, plans }, () => explainNothingToDo(change));
    return ExitCode.done;
  }
  if (flagOption(invocation, 'plan')) {
    output.result({ change, plans }, (view) => renderHostChange(change, plans, view));
    return plans.some(isBlocked) ? ExitCode.failed : ExitCode.attention;
  }
  output.note(renderHostChange(change, plans, output.notes));
  const clusters = open.map(({ layout }) => layout.cluster).join(', ');
  return approvePlans(session, invocation, {
    plans,
    shape: 'list',
    question: `${capitalize(describeHostChange(change))} (${clusters})?`,
    apply: () => applyChange(session, change, plans),
    afterwards: explainAfterwards(change),
  });
}

type Planned =
  | { readonly plans: readonly HostChangePlan[]; readonly refusal?: undefined }
  | { readonly refusal: ReturnType<typeof toRefusalView>; readonly plans?: undefined };

async function fetchPlans(session: Session, change: HostChange): Promise<Planned> {
  const { result } = await session.api.hosts.planHostChange({ change: hostChangeToProto(change) });
  if (result.case === 'refusal') return { refusal: toRefusalView(result.value) };
  return { plans: await addChanges(session, present(result.value, 'plans')) };
}

/** The old places are those of the layouts in force; should they move meanwhile, apply refuses. */
async function addChanges({ api }: Session, { plans }: HostChangePlans) {
  return Promise.all(
    plans.map(async (message): Promise<HostChangePlan> => {
      const plan = toPlanView(message);
      const { nodes } = await fetchCluster(api, plan.layout.cluster);
      return { ...plan, changes: compareNodes({ nodes, next: plan.layout }) };
    }),
  );
}

/** All fingerprints, as all plans were shown. */
async function applyChange({ api }: Session, change: HostChange, plans: readonly HostChangePlan[]) {
  const { operations } = await api.hosts.applyHostChange({
    change: hostChangeToProto(change),
    fingerprints: plans.map(({ fingerprint }) => fingerprint),
  });
  return operations.map((each) => operationFromProto(each));
}

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
