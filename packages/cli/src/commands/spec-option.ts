/** The spec that `cluster plan` and `cluster apply` take, with the flags that override it. */
import type { ClusterSpec } from '@redrover/core';
import type { Command } from 'commander';

import { flagOption, textOption } from '../program/define-command.ts';
import type { Invocation } from '../program/define-command.ts';
import type { Session } from '../program/session.ts';
import { ReportedUsageError } from '../program/usage-error.ts';
import { readSpec, readSpecText } from '../spec-file/read-spec.ts';
import { renderProblems } from '../spec-file/source-problem.ts';

/** Only what most specs need; a field that is wrong is explained where it is. */
export const SPEC_HELP = `
A spec, with what is taken for the fields that it leaves out:

  name: shop
  release: redis-7.0.15
  shards: 3                  # masters; 3 or more
  replicas: 1                # of each master
  maxmemory: 4gb             # of each node; left out: no limit
  nodeTimeoutMs: 5000        # default: silent for so long, a node is taken for failed
  repair: manual             # default: only \`redrover cluster repair\` brings masters home;
                             # auto: Redrover does it, once nothing has changed for
  repairQuietMs: 300000      # default: 5 minutes
  placement:
    hosts: [h1, h2, h3]      # left out: all known hosts
    basePort: 6379           # default
  config:                    # further options of redis.conf
    maxmemory-policy: noeviction

Examples:
  redrover cluster plan -f shop.yaml
  redrover cluster apply -f shop.yaml`;

export function withSpecOptions(command: Command): Command {
  return withRiskOptions(
    command.requiredOption('-f, --file <spec.yaml>', 'the spec; - reads it from stdin'),
  );
}

/** Risks of placement that can be accepted by name. */
export function withRiskOptions(command: Command): Command {
  return command
    .option('--allow-same-host', 'accept members of a shard on one host: for trials')
    .option('--allow-weak-quorum', 'accept that losing one host may lose the majority of masters');
}

/** Errors: `ReportedUsageError` once every problem of the file was shown at its line and column. */
export function readSpecOption({ output }: Session, invocation: Invocation): ClusterSpec {
  const source = readSpecText(textOption(invocation, 'file') ?? '-');
  const read = readSpec(source, {
    allowSameHost: flagOption(invocation, 'allowSameHost'),
    allowWeakQuorum: flagOption(invocation, 'allowWeakQuorum'),
  });
  if (read.ok) return read.spec;
  output.note(renderProblems(source, read.problems, output.notes.style));
  throw new ReportedUsageError(`${source.fileName} is not a valid spec`);
}
