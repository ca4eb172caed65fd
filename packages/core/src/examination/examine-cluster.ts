/**
 * The examination of a cluster: what is wrong or risky, by every node's own word.
 *
 * Each rule is a small function beside this file; what they share is in `picture.ts` and
 * `roles.ts`. The rules cover all that `redis-cli --cluster check` looks at, and more.
 */
import type { Finding, Severity } from '../model/finding.ts';
import {
  findDrainedHosts,
  findOwnIsolation,
  findReaddressedHosts,
  findClocksAhead,
  findStaleNodes,
  findUnreachableHosts,
} from './host-rules.ts';
import { findMasterlessShards } from './masterless-shards.ts';
import { drawPicture, type ExaminationInput, type Picture, type Rule } from './picture.ts';
import { findDomainRisks, findRoleDrift, findSharedFate } from './placement-rules.ts';
import {
  areSlotsOnTheirWay,
  findLapsedMovers,
  findMisplacedSlots,
  findOpenSlots,
  findOrphanKeys,
} from './move-rules.ts';
import {
  findForeignNodes,
  findFormerNodes,
  findNodesDown,
  findNodesToStop,
} from './process-rules.ts';
import {
  findIdleMasters,
  findLoading,
  findReplicationTrouble,
  findTooFewReplicas,
} from './replication-rules.ts';
import {
  findAofOff,
  findLowFileLimit,
  findMemoryNearLimit,
  findOtherVersions,
  findPersistenceFailing,
  findTimingLeft,
} from './setting-rules.ts';
import {
  findEqualEpochs,
  findSlotsOwnedTwice,
  findStateFail,
  findUncoveredSlots,
} from './slot-rules.ts';
import {
  findDisagreement,
  findFailureFlags,
  findLeftovers,
  findUnknownNodes,
  findUnmetNodes,
} from './view-rules.ts';

interface Check {
  readonly passed: string;
  readonly rules: readonly Rule[];
  /** Whether without a finding it is not well either, as something is under way. */
  readonly isOpen?: (picture: Picture) => boolean;
}

/** The rules by the heading under which `cluster check` says that all is well. */
const CHECKS: readonly Check[] = [
  {
    passed: 'all hosts answer, at their addresses, and none is drained',
    rules: [
      findOwnIsolation,
      findUnreachableHosts,
      findReaddressedHosts,
      findDrainedHosts,
      findStaleNodes,
      findClocksAhead,
    ],
  },
  {
    passed: 'all nodes run, and no others',
    rules: [findNodesDown, findNodesToStop, findFormerNodes, findForeignNodes, findLoading],
  },
  { passed: 'all views of the cluster agree', rules: [findDisagreement, findUnmetNodes] },
  {
    passed: 'no failed, half-met or unknown nodes',
    rules: [findFailureFlags, findLeftovers, findUnknownNodes],
  },
  { passed: '16384 of 16384 slots covered', rules: [findUncoveredSlots, findMasterlessShards] },
  { passed: 'no open slots', rules: [findOpenSlots, findLapsedMovers] },
  {
    passed: 'every slot has one owner, as in the layout',
    isOpen: areSlotsOnTheirWay,
    rules: [
      findSlotsOwnedTwice,
      findMisplacedSlots,
      findEqualEpochs,
      findIdleMasters,
      findOrphanKeys,
    ],
  },
  { passed: 'cluster_state ok on every node', rules: [findStateFail] },
  {
    passed: 'all replicas are there and in sync',
    rules: [findTooFewReplicas, findReplicationTrouble],
  },
  { passed: 'no two members of a shard share a host or zone', rules: [findSharedFate] },
  { passed: 'losing any one host or zone leaves slots and majority', rules: [findDomainRisks] },
  { passed: 'every node has its preferred role', rules: [findRoleDrift] },
  { passed: 'timing is as in the layout', rules: [findTimingLeft] },
  {
    passed: 'persistence, file limits and memory are in order',
    rules: [findPersistenceFailing, findAofOff, findLowFileLimit, findMemoryNearLimit],
  },
  { passed: 'all nodes run the release of the layout', rules: [findOtherVersions] },
];

const RANK: Readonly<Record<Severity, number>> = { critical: 0, warning: 1, info: 2 };

export interface Examination {
  /** The most severe first; empty if nothing is wrong. */
  readonly findings: readonly Finding[];
  /** What was examined and found to be well, a line each. */
  readonly passed: readonly string[];
}

/** All findings, the most severe first; empty if nothing is wrong. */
export function examineCluster(input: ExaminationInput): Finding[] {
  return [...checkCluster(input).findings];
}

/** The findings, and what passed; if nobody can be asked, nothing has passed. */
export function checkCluster(input: ExaminationInput): Examination {
  const picture = drawPicture(input);
  const findings: Finding[] = [];
  const passed: string[] = [];
  for (const check of CHECKS) {
    const found = check.rules.flatMap((rule) => rule(picture));
    findings.push(...found);
    const isWell = found.length === 0 && picture.speakers.length > 0;
    if (isWell && check.isOpen?.(picture) !== true) passed.push(check.passed);
  }
  return { findings: findings.toSorted(bySeverity), passed };
}

function bySeverity(a: Finding, b: Finding): number {
  return RANK[a.severity] - RANK[b.severity];
}
