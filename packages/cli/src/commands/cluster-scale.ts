/** `redrover cluster scale`: more or fewer shards or replicas, as a change of the stored spec. */
import { formatSpec, formatSpecProblem, parseSpec } from '@redrover/core';
import type { ClusterSpec } from '@redrover/core';
import type { Command } from 'commander';
import { Option } from 'commander';

import { parseWholeNumber } from '../input/amounts.ts';
import { argumentAt, flagOption } from '../program/define-command.ts';
import type { Attach, Handler, Invocation } from '../program/define-command.ts';
import { UsageError } from '../program/usage-error.ts';
import { withChangeOptions } from './approve-plans.ts';
import { carryOut } from './carry-out-plan.ts';
import { applySpec, fetchPlan } from './cluster-apply.ts';
import { numberOption, readMoveOptions, withMoveOptions } from './move-options.ts';
import { withRiskOptions } from './spec-option.ts';
import { bringsSpecAbout, fetchSpec } from './stored-spec.ts';

// As spec files have it.
const MAX_SHARDS = 1000;
const MAX_REPLICAS = 5;

const HELP = `
New nodes are placed by the rules, started and joined; their replicas are in sync before a slot
arrives. With fewer shards the ones that go are drained of their slots first, then forgotten by
every node and stopped; their data stays in the trash folder of each host. Clients go on meanwhile.

It changes the spec that the controller holds: if you keep it in a file, change that too.

Examples:
  redrover cluster scale shop --shards 4           show the plan, ask, carry it out
  redrover cluster scale shop --shards 4 --plan    only show it: nodes, slots, keys, bytes, time
  redrover cluster scale shop --shards 3 --fast    in a maintenance window
  redrover cluster scale shop --replicas 2`;

export function defineScale(cluster: Command, attach: Attach): void {
  const command = cluster
    .command('scale')
    .description('more or fewer shards or replicas: show the plan, ask, carry it out')
    .argument('<name>')
    .addOption(
      new Option('--shards <count>', 'how many masters').argParser(parseWholeNumber(1, MAX_SHARDS)),
    )
    .addOption(
      new Option('--replicas <count>', 'how many replicas of each master').argParser(
        parseWholeNumber(0, MAX_REPLICAS),
      ),
    )
    .addHelpText('after', HELP);
  attach(withMoveOptions(withChangeOptions(withRiskOptions(command))), scaleCluster);
}

const scaleCluster: Handler = async (session, invocation) => {
  const cluster = argumentAt(invocation, 0);
  const move = readMoveOptions(invocation);
  const wish = readWish(invocation);
  const present = await fetchSpec(session.api, cluster);
  const spec = scaleSpec(present, wish);
  const request = { spec, move };
  return carryOut(session, invocation, {
    cluster,
    plan: () => fetchPlan(session, request),
    isSame: (operation) => bringsSpecAbout(session.api, operation, spec),
    refusal: `It is not possible now to scale ${cluster} to ${describeSize(spec)}:`,
    question: `Scale ${cluster} to ${describeSize(spec)}?`,
    nothingToDo: `${cluster} has ${describeSize(spec)} already; nothing to do.`,
    remark: remindOfFile(present, spec),
    apply: (plan) => applySpec(session, request, plan),
  });
};

export interface ScaleWish {
  readonly shards: number | undefined;
  readonly replicas: number | undefined;
  readonly allowSameHost: boolean;
  readonly allowWeakQuorum: boolean;
}

function readWish(invocation: Invocation): ScaleWish {
  const shards = numberOption(invocation, 'shards');
  const replicas = numberOption(invocation, 'replicas');
  if (shards === undefined && replicas === undefined) {
    throw new UsageError(
      'scale needs to know to what: add --shards COUNT, --replicas COUNT, or both',
    );
  }
  return {
    shards,
    replicas,
    allowSameHost: flagOption(invocation, 'allowSameHost'),
    allowWeakQuorum: flagOption(invocation, 'allowWeakQuorum'),
  };
}

/** Errors: `UsageError` for a size that no spec may ask for. */
export function scaleSpec(present: ClusterSpec, wish: ScaleWish): ClusterSpec {
  const { placement, shards, replicas } = present;
  const spec: ClusterSpec = {
    ...present,
    shards: wish.shards ?? shards,
    replicas: wish.replicas ?? replicas,
    placement: {
      ...placement,
      allowSameHost: placement.allowSameHost || wish.allowSameHost,
      allowWeakQuorum: placement.allowWeakQuorum || wish.allowWeakQuorum,
    },
  };
  const isResized = spec.shards !== shards || spec.replicas !== replicas;
  if (isResized && present.nodes.length > 0) {
    throw new UsageError(
      `the spec of ${present.name} says where every node is (nodes), so that scale cannot place ` +
        'others: change its file, and apply that',
    );
  }
  const parsed = parseSpec(formatSpec(spec));
  if (parsed.ok) return parsed.spec;
  const problems = parsed.problems.map((problem) => `--${formatSpecProblem(problem)}`);
  throw new UsageError(problems.join('\n').replaceAll('placement.allowWeakQuorum: true', RISK));
}

const RISK = '--allow-weak-quorum';

function describeSize({ shards, replicas }: ClusterSpec): string {
  const of = replicas === 1 ? '1 replica' : `${replicas} replicas`;
  return `${shards} ${shards === 1 ? 'shard' : 'shards'} with ${of} each`;
}

/** The next apply of a file that was not changed would ask for the old size again. */
function remindOfFile(present: ClusterSpec, spec: ClusterSpec): string {
  const { placement } = spec;
  const fields = [
    ...(spec.shards === present.shards ? [] : [`shards: ${spec.shards}`]),
    ...(spec.replicas === present.replicas ? [] : [`replicas: ${spec.replicas}`]),
    ...(placement.allowSameHost === present.placement.allowSameHost
      ? []
      : ['placement.allowSameHost: true']),
    ...(placement.allowWeakQuorum === present.placement.allowWeakQuorum
      ? []
      : ['placement.allowWeakQuorum: true']),
  ];
  if (fields.length === 0) return '';
  return (
    `If you keep the spec of ${spec.name} in a file, write this into it, or the next apply of it ` +
    `asks for the old size again: ${fields.join(', ')}`
  );
}
