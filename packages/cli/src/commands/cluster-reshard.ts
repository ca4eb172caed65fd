/** `redrover cluster rebalance`, `move-slots`, `spread`: the same nodes' slots, or slots' nodes, elsewhere. */
import { describeReshard } from '@redrover/core';
import type { Operation, Reshard, SlotRange } from '@redrover/core';
import { moveOptionsToProto, operationFromProto, reshardToProto } from '@redrover/wire';
import type { Command } from 'commander';
import { Option } from 'commander';

import type { Api } from '../connection/api.ts';
import { parseSlotList } from '../input/slot-list.ts';
import { parseWeights } from '../input/weights.ts';
import { argumentAt, textOption } from '../program/define-command.ts';
import type { Attach, Handler, Invocation } from '../program/define-command.ts';
import type { Session } from '../program/session.ts';
import { UsageError } from '../program/usage-error.ts';
import { toPlanView, toRefusalView } from '../render/plan-view.ts';
import { present } from '../render/present.ts';
import { withChangeOptions } from './approve-plans.ts';
import { carryOut } from './carry-out-plan.ts';
import type { PlanResult } from './carry-out-plan.ts';
import { PLAN_TIMEOUT_MS, readMoveOptions, withMoveOptions } from './move-options.ts';

const REBALANCE_HELP = `
Moves as few slots as the balance that is asked for needs. Weights are shares: with s1=2 that shard
gets twice of what the others get; 0 takes all slots from it. Shards that are not named have 1.

Examples:
  redrover cluster rebalance shop                        as many slots on each shard
  redrover cluster rebalance shop --by memory            as many bytes
  redrover cluster rebalance shop --weights s1=2,s4=0.5`;

const MOVE_HELP = `
The slots are taken from whichever shards serve them now. A later rebalance may move them again.

Example:
  redrover cluster move-slots shop --slots 0-99,200 --to s4`;

const SPREAD_HELP = `
For a host that was added: moves nodes, not slots, so that it carries its share. Each node gets its
data from its shard before the one that it takes the place of is stopped.

Example:
  redrover cluster spread shop`;

export function defineReshards(cluster: Command, attach: Attach): void {
  attach(
    withReshardOptions(
      cluster
        .command('rebalance')
        .description('move slots so that every shard has its share: show the plan, ask, do it')
        .argument('<name>')
        .addOption(
          new Option('--by <measure>', 'what is shared out')
            .choices(['slots', 'keys', 'memory'])
            .default('slots'),
        )
        .addOption(
          new Option('--weights <list>', 'shares of shards, such as s1=2,s4=0.5').argParser(
            parseWeights,
          ),
        )
        .addHelpText('after', REBALANCE_HELP),
    ),
    changeSlots(toRebalance),
  );
  attach(
    withReshardOptions(
      cluster
        .command('move-slots')
        .description('move certain slots to a shard: show the plan, ask, do it')
        .argument('<name>')
        .addOption(
          new Option('--slots <list>', 'slots and ranges, such as 0-99,200')
            .argParser(parseSlotList)
            .makeOptionMandatory(),
        )
        .requiredOption('--to <shard>', 'id of the shard that gets them, such as s4')
        .addHelpText('after', MOVE_HELP),
    ),
    changeSlots((invocation) => ({
      kind: 'moveSlots',
      slots: invocation.options['slots'] as SlotRange[],
      to: textOption(invocation, 'to') ?? '',
    })),
  );
  attach(
    withReshardOptions(
      cluster
        .command('spread')
        .description('move nodes so that every host carries its share: show the plan, ask, do it')
        .argument('<name>')
        .addHelpText('after', SPREAD_HELP),
    ),
    changeSlots(() => ({ kind: 'spread' })),
  );
}

function withReshardOptions(command: Command): Command {
  return withMoveOptions(withChangeOptions(command));
}

function toRebalance(invocation: Invocation): Reshard {
  const by = textOption(invocation, 'by') as 'slots' | 'keys' | 'memory';
  const weights = (invocation.options['weights'] ?? {}) as Record<string, number>;
  return { kind: 'rebalance', by, weights };
}

function changeSlots(toChange: (invocation: Invocation) => Reshard): Handler {
  return async (session, invocation) => {
    const { api } = session;
    const cluster = argumentAt(invocation, 0);
    const change = toChange(invocation);
    const what = describeReshard(change);
    await checkShards(api, cluster, change);
    const request = {
      cluster,
      change: reshardToProto(change),
      move: moveOptionsToProto(readMoveOptions(invocation)),
    };
    return carryOut(session, invocation, {
      cluster,
      plan: () => fetchReshard(session, request),
      isSame: ({ reason }: Operation) => reason === what,
      refusal: `It is not possible now to ${what} in ${cluster}:`,
      question: `${what.charAt(0).toUpperCase()}${what.slice(1)} (${cluster})?`,
      nothingToDo: explainNothingToDo(cluster, change),
      apply: async ({ fingerprint }) => {
        const allowed = session.allow(PLAN_TIMEOUT_MS);
        const answer = await api.clusters.reshardCluster({ ...request, fingerprint }, allowed);
        return operationFromProto(present(answer.operation, 'operation'));
      },
    });
  };
}

type ReshardRequest = Parameters<Api['clusters']['planReshard']>[0];

async function fetchReshard(session: Session, request: ReshardRequest): Promise<PlanResult> {
  const allowed = session.allow(PLAN_TIMEOUT_MS);
  const { result } = await session.api.clusters.planReshard(request, allowed);
  if (result.case === 'refusal') return { refusal: toRefusalView(result.value) };
  return { plan: toPlanView(present(result.value, 'plan')) };
}

/** Before anything is surveyed for a shard that was mistyped. Errors: `UsageError`, `not-found`. */
async function checkShards(api: Api, cluster: string, change: Reshard): Promise<void> {
  const named = namedShards(change);
  if (named.length === 0) return;
  const { layout } = await api.clusters.getCluster({ cluster });
  const known = present(layout, 'layout').shards.map(({ id }) => id);
  for (const { option, shard } of named) {
    if (known.includes(shard)) continue;
    throw new UsageError(
      `${option}: ${cluster} has no shard "${shard}"; it has ${known.join(', ')}`,
    );
  }
}

interface NamedShard {
  readonly option: string;
  readonly shard: string;
}

function namedShards(change: Reshard): NamedShard[] {
  switch (change.kind) {
    case 'moveSlots':
      return [{ option: '--to', shard: change.to }];
    case 'rebalance':
      return Object.keys(change.weights).map((shard) => ({ option: '--weights', shard }));
    case 'spread':
      return [];
  }
}

function explainNothingToDo(cluster: string, change: Reshard): string {
  switch (change.kind) {
    case 'moveSlots':
      return `These slots of ${cluster} are at ${change.to} already; nothing to do.`;
    case 'rebalance':
      return `${cluster} is balanced by ${change.by} already; nothing to do.`;
    case 'spread':
      return `Every host of ${cluster} carries its share already; nothing to do.`;
  }
}
