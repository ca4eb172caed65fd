/** What a loss would cost, for scripts, and the table of all hosts and zones. One loss in words is elsewhere. */
import { SLOT_COUNT, countSlots, formatRanges } from '@redrover/core';
import type { DomainOutcome } from '@redrover/proto';

import type { View } from '../output/output.ts';
import type { Style } from '../output/style.ts';
import { formatBytes, formatCount } from '../output/units.ts';
import { compareText } from './plan-view.ts';

/** What `cluster what-if` gives as JSON for each host or zone. */
export interface OutcomeView {
  readonly kind: 'host' | 'zone';
  readonly domain: string;
  /** All slots stay served, after failovers by Redis itself. */
  readonly survived: boolean;
  readonly mastersThere: readonly string[];
  /** `0-5460` */
  readonly lostSlots: readonly string[];
  readonly lostSlotCount: number;
  readonly lostShards: readonly string[];
  readonly failovers: readonly string[];
  readonly mastersLeft: number;
  readonly mastersNeeded: number;
  readonly quorumKept: boolean;
  readonly replicasLeft: Readonly<Record<string, number>>;
  /** Null: nothing is left. */
  readonly busiestHost: BusiestHost | null;
  /** The host with the most masters after the failovers; null: nothing is left. */
  readonly worstHostAfter: WorstHost | null;
}

interface BusiestHost {
  readonly host: string;
  readonly usedBytes: number;
  /** Null where the host has not told it. */
  readonly memoryBytes: number | null;
}

interface WorstHost {
  readonly host: string;
  readonly masters: number;
  /** Whether its loss, before anything is repaired, would leave a majority. */
  readonly quorumKept: boolean;
}

export function toOutcomeView(outcome: DomainOutcome): OutcomeView {
  const ranges = outcome.lostSlots.map(({ start, end }) => ({ start, end }));
  return {
    kind: outcome.kind === 'zone' ? 'zone' : 'host',
    domain: outcome.domain,
    survived: ranges.length === 0 && outcome.lostShards.length === 0 && outcome.quorumKept,
    mastersThere: [...outcome.mastersThere],
    lostSlots: formatRanges(ranges).split(' ').filter(Boolean),
    lostSlotCount: countSlots(ranges),
    lostShards: [...outcome.lostShards],
    failovers: [...outcome.failovers],
    mastersLeft: outcome.mastersLeft,
    mastersNeeded: outcome.mastersNeeded,
    quorumKept: outcome.quorumKept,
    replicasLeft: { ...outcome.replicasLeft },
    busiestHost: toBusiestHost(outcome),
    worstHostAfter: toWorstHost(outcome),
  };
}

function toBusiestHost(outcome: DomainOutcome): BusiestHost | null {
  if (outcome.busiestHost === '') return null;
  const memoryBytes = Number(outcome.busiestHostMemoryBytes);
  return {
    host: outcome.busiestHost,
    usedBytes: Number(outcome.busiestHostUsedBytes),
    memoryBytes: memoryBytes === 0 ? null : memoryBytes,
  };
}

function toWorstHost(outcome: DomainOutcome): WorstHost | null {
  const { worstHostAfter: host, worstHostMastersAfter: masters } = outcome;
  if (host === '') return null;
  const mastersThen = outcome.mastersLeft + outcome.failovers.length;
  return { host, masters, quorumKept: mastersThen - masters >= outcome.mastersNeeded };
}

/** Hosts, then zones. */
export function renderOutcomes(outcomes: readonly OutcomeView[], view: View): string {
  const kinds = Map.groupBy(outcomes, ({ kind }) => kind);
  return (['host', 'zone'] as const)
    .flatMap((kind) => {
      const ofKind = kinds.get(kind)?.toSorted((a, b) => compareText(a.domain, b.domain));
      return ofKind === undefined ? [] : [renderTable(kind, ofKind, view)];
    })
    .join('\n\n');
}

function renderTable(kind: string, outcomes: readonly OutcomeView[], view: View): string {
  const { style } = view;
  const rows = outcomes.map((outcome) => [
    outcome.domain,
    outcome.mastersThere.join(', ') || 'none',
    outcome.lostSlotCount === 0 ? style.good('none') : style.bad(describeLostSlots(outcome)),
    paintQuorum(outcome, style),
    outcome.failovers.join(', ') || 'none',
    describeReplicas(outcome.replicasLeft),
    // Without a majority nothing follows: it ends there.
    outcome.quorumKept ? describeMemory(outcome.busiestHost) : '',
    outcome.quorumKept ? describeNext(outcome.worstHostAfter, style) : '',
  ]);
  const columns = [
    `${kind.toUpperCase()} LOST`,
    'MASTERS',
    'SLOTS LOST',
    'QUORUM',
    'FAILOVERS',
    'REPLICAS LEFT',
    'MEMORY THEN',
    'AND THEN?',
  ];
  return view.table(columns, rows);
}

function describeLostSlots({ lostSlotCount, lostShards }: OutcomeView): string {
  return `${lostSlotCount} (${lostShards.join(', ')})`;
}

function paintQuorum({ quorumKept, mastersLeft, mastersNeeded }: OutcomeView, style: Style) {
  return quorumKept
    ? `${style.good('kept')}: ${mastersLeft} left, needs ${mastersNeeded}`
    : `${style.bad('lost')}: ${mastersLeft} left, needs ${mastersNeeded}`;
}

/** The shards that are worst off: `none for s1, s2`, `at least 1`. */
export function describeReplicas(replicasLeft: OutcomeView['replicasLeft']): string {
  const counts = Object.values(replicasLeft);
  if (counts.length === 0) return '';
  const least = Math.min(...counts);
  const shards = Object.keys(replicasLeft)
    .filter((shard) => replicasLeft[shard] === least)
    .toSorted(compareText);
  if (shards.length === counts.length) return `${least === 0 ? 'none' : least} for each shard`;
  return `${least === 0 ? 'none' : least} for ${shards.join(', ')}`;
}

export function describeMemory(busiest: BusiestHost | null): string {
  if (busiest === null) return '';
  const { host, usedBytes, memoryBytes } = busiest;
  const used = `${host}: ${formatBytes(usedBytes)}`;
  if (memoryBytes === null) return used;
  const percent = (100 * usedBytes) / memoryBytes;
  const share = percent < 1 ? 'under 1' : percent.toFixed(0);
  return `${used} of ${formatBytes(memoryBytes)} (${share} %)`;
}

function describeNext(worst: WorstHost | null, style: Style): string {
  if (worst === null) return '';
  const carries = `${worst.host} may have ${formatCount(worst.masters, 'master')}`;
  return worst.quorumKept
    ? `${carries}; ${style.good('may go too')}`
    : `${carries}; ${style.caution('must not go')}`;
}

/** `5461 of 16384 slots (0-5460)` */
export function describeSlots({ lostSlotCount, lostSlots }: OutcomeView): string {
  return `${lostSlotCount} of ${SLOT_COUNT} slots (${lostSlots.join(' ')})`;
}
