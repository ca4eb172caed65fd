/**
 * Reads what an operator asked for: checks a document of any origin (YAML, JSON, API) and makes it
 * a `ClusterSpec`, or says everything that is wrong with it.
 *
 * Whether the hosts exist and the cluster fits on them is `placement/`'s business.
 */
import type { z } from 'zod';
import type { ClusterSpec } from '../model/spec.ts';
import { checkSpec } from './check-spec.ts';
import { parseMemorySize } from './memory-size.ts';
import { nearestName } from './nearest-name.ts';
import { reservedReason } from './reserved-options.ts';
import type { SpecDocument } from './spec-document.ts';
import {
  defaultPlacement,
  knownFields,
  optionNameProblem,
  readOptionValue,
  specDocument,
} from './spec-document.ts';
import type { SpecProblem } from './spec-problem.ts';

export type ParsedSpec =
  | { readonly ok: true; readonly spec: ClusterSpec }
  | { readonly ok: false; readonly problems: readonly SpecProblem[] };

/** Reports all problems of form at once; those between fields only when the form is right. */
export function parseSpec(input: unknown): ParsedSpec {
  const document = specDocument.safeParse(input);
  if (!document.success) {
    return { ok: false, problems: document.error.issues.flatMap(problemsOfIssue) };
  }
  const config = readConfig(document.data.config);
  const spec = specOf(document.data, config.options);
  const problems = [...config.problems, ...checkSpec(spec)];
  return problems.length === 0 ? { ok: true, spec } : { ok: false, problems };
}

function problemsOfIssue(issue: z.core.$ZodIssue): SpecProblem[] {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
  if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message }];
  const known = knownFields(path);
  return issue.keys.map((key) => {
    const nearest = nearestName(key, known);
    const hint = nearest === undefined ? `known are ${known.join(', ')}` : `meant "${nearest}"?`;
    return { path: [...path, key], message: `is not a field of a spec; ${hint}` };
  });
}

interface ReadConfig {
  readonly options: Readonly<Record<string, string>>;
  readonly problems: readonly SpecProblem[];
}

function readConfig(config: Readonly<Record<string, unknown>>): ReadConfig {
  const options: [string, string][] = [];
  const problems: SpecProblem[] = [];
  for (const [name, value] of Object.entries(config)) {
    const path = ['config', name];
    const reserved = reservedReason(name.toLowerCase());
    const wrongName = reserved ?? optionNameProblem(name);
    const read = readOptionValue(value);
    if (reserved !== undefined) problems.push({ path, message: `is not for a spec: ${reserved}` });
    else if (wrongName !== undefined) problems.push({ path, message: wrongName });
    else if ('problem' in read) problems.push({ path, message: read.problem });
    else options.push([name, read.value]);
  }
  return { options: Object.fromEntries(options), problems };
}

function specOf(document: SpecDocument, config: Readonly<Record<string, string>>): ClusterSpec {
  const { maxmemory } = document;
  return {
    name: document.name,
    release: document.release,
    shards: document.shards,
    replicas: document.replicas,
    placement: document.placement ?? defaultPlacement,
    nodes: document.nodes.map((node) => ({
      host: node.host,
      port: node.port,
      shard: node.shard,
      role: node.role,
    })),
    maxmemoryBytes: typeof maxmemory === 'string' ? parseMemorySize(maxmemory) : maxmemory,
    nodeTimeoutMs: document.nodeTimeoutMs,
    repair: document.repair,
    repairQuietMs: document.repairQuietMs,
    config,
  };
}
