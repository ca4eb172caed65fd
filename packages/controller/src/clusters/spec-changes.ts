/** Specs of clusters that exist: what may differ from the one in force, and what that means. */
import {
  formatSpec,
  formatSpecProblem,
  parseSpec,
  RedroverError,
  type ClusterSpec,
  type Finding,
} from '@redrover/core';

import type { ClusterRecord } from '../store/cluster-records.ts';
import { canonicalJson } from './fingerprint.ts';

type Field = keyof ClusterSpec;

/** Fields that say what Redrover may do, and nothing of what nodes are. */
const NO_WORK: ReadonlySet<Field> = new Set<Field>(['repair', 'repairQuietMs']);

/** Fields that host changes keep in step with the layout. */
const KEPT_IN_STEP: ReadonlySet<Field> = new Set<Field>(['placement', 'nodes']);

/** Fields that say how many nodes there are, and where; a next layout follows from them. */
const SIZE: ReadonlySet<Field> = new Set<Field>(['shards', 'replicas', 'placement', 'nodes']);

/** A message that another program built gets the same checks as a file that a person wrote. */
export function checkSpec(given: ClusterSpec): ClusterSpec {
  const parsed = parseSpec(formatSpec(given));
  if (parsed.ok) return parsed.spec;
  const problems = parsed.problems.map(formatSpecProblem);
  throw new RedroverError('invalid-argument', `the spec is not valid:\n${problems.join('\n')}`);
}

/** Names of the fields that differ. */
export function changedFields(spec: ClusterSpec, present: ClusterSpec): Field[] {
  const fields = Object.keys({ ...present, ...spec }) as Field[];
  return fields.filter(
    (field) => canonicalJson({ v: spec[field] }) !== canonicalJson({ v: present[field] }),
  );
}

/** Whether such a change is only saved. */
export function needsNoWork(changed: readonly Field[]): boolean {
  return changed.every((field) => NO_WORK.has(field));
}

/** @throws RedroverError `failed-precondition`: a running cluster cannot be changed in that. */
export function refuseUnsupported(spec: ClusterSpec, record: ClusterRecord): void {
  const changed = changedFields(spec, record.spec);
  const refused = changed.filter((field) => !NO_WORK.has(field) && !SIZE.has(field));
  if (refused.length === 0) return;
  throw new RedroverError(
    'failed-precondition',
    `cluster ${spec.name} exists with another spec (${refused.join(', ')} differ), and changing ` +
      'these of a running cluster is not supported yet; what is: shards, replicas and placement, ' +
      'also with `redrover cluster scale`. Put the others back as they were, or give the new ' +
      'cluster another name',
    { context: { changed: changed.join(', ') } },
  );
}

/** @throws RedroverError `failed-precondition`: a creation goes on with the spec that it began with. */
export function refuseBeforeCreated(spec: ClusterSpec, record: ClusterRecord): never {
  const changed = changedFields(spec, record.spec);
  throw new RedroverError(
    'failed-precondition',
    `the creation of ${spec.name} was not finished, and its spec was another (${changed.join(', ')} ` +
      'differ); put the spec back as it was and apply it, which goes on with it, then change it ' +
      `with \`redrover cluster scale\`; or begin anew after \`redrover cluster rm ${spec.name}\``,
    { context: { changed: changed.join(', ') } },
  );
}

/** Beside the reasons why there is no layout for a spec: it may have been written before nodes were moved. */
export function tellOutdated(
  spec: ClusterSpec,
  { name, spec: present }: ClusterRecord,
  hasMoved: boolean,
): Finding[] {
  const changed = changedFields(spec, present).filter((field) => !NO_WORK.has(field));
  const kept = changed.filter((field) => KEPT_IN_STEP.has(field));
  if (!hasMoved || kept.length === 0) return [];
  const fields = formatSpec(present);
  return [
    {
      rule: 'spec-outdated',
      severity: 'info',
      subject: name,
      message:
        `Nodes of ${name} have moved since it was created (redrover op ls --cluster ${name}), and ` +
        'the spec in force has moved with them.',
      evidence: kept.map((field) => `${field}: ${JSON.stringify(fields[field] ?? null)}`),
      remedy: 'If your file was written before that, write into it what stands here.',
    },
  ];
}
