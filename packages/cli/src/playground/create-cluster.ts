/** Creates the playground's cluster the way an operator does: plan, show, apply, watch, check. */
import { RedroverError, parseSpec } from '@redrover/core';
import type { ClusterSpec } from '@redrover/core';
import { findingFromProto } from '@redrover/wire';

import { assertPlanned, fetchPlan, startOperation } from '../commands/cluster-apply.ts';
import type { Session } from '../program/session.ts';
import { watchOperation } from '../progress/watch-operation.ts';
import { renderFindings } from '../render/finding-view.ts';
import { countSteps, renderPlan } from '../render/plan-view.ts';

export interface ClusterInput {
  readonly name: string;
  readonly release: string;
  readonly shards: number;
  readonly replicas: number;
  readonly hosts: readonly string[];
  readonly basePort: number;
  readonly signal: AbortSignal;
}

/** Errors: what refused the plan, failed the operation, or was found by the check. */
export async function createCluster(session: Session, input: ClusterInput): Promise<void> {
  const { api, output } = session;
  const spec = toSpec(input);
  const plan = assertPlanned(await fetchPlan(session, { spec }));
  output.note(`${renderPlan(plan, output.notes)}\n`);
  const operation = await startOperation(session, { spec }, plan);
  const foreseenSteps = countSteps(plan);
  const { signal } = input;
  const result = await watchOperation({ api, output, operation, foreseenSteps, signal });
  if (result.kind === 'detached') throw new RedroverError('cancelled', 'interrupted');
  if (result.operation.state !== 'done') {
    throw new RedroverError('failed-precondition', result.operation.message);
  }
  await check(session, input.name);
}

function toSpec({ name, release, shards, replicas, hosts, basePort }: ClusterInput): ClusterSpec {
  const smallest = Math.ceil((shards * (1 + replicas)) / hosts.length);
  const parsed = parseSpec({
    name,
    release,
    shards,
    replicas,
    placement: {
      hosts,
      basePort,
      // On one machine the hosts are only pretended: what cannot be spread is still worth a try.
      allowSameHost: hosts.length < 1 + replicas,
      allowWeakQuorum: hosts.length < 3 || shards < 3 || smallest > shards,
    },
  });
  if (parsed.ok) return parsed.spec;
  const problems = parsed.problems.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new RedroverError('invalid-argument', problems.join('\n'));
}

async function check({ api, output }: Session, cluster: string): Promise<void> {
  const answer = await api.clusters.checkCluster({ cluster });
  const findings = answer.findings.map((each) => findingFromProto(each));
  const { style } = output.notes;
  for (const line of answer.passed) output.note(`${style.good('ok')}  ${line}`);
  if (findings.length > 0) output.note(renderFindings(findings, output.notes));
  const broken = findings.filter(({ severity }) => severity === 'critical');
  if (broken.length > 0) {
    throw new RedroverError('failed-precondition', `the check of ${cluster} found something wrong`);
  }
}
