/** What a loss would cost, for scripts, and the table of all hosts and zones. One loss in words is elsewhere. */
import { SLOT_COUNT, countSlots, formatRanges } from '@redrover/core';
import type { DomainOutcome } from '@redrover/core';
import type { DomainOutcome as OutcomeMessage } from '@redrover/proto';
import { domainOutcomeFromProto } from '@redrover/wire';

import type { View } from '../output/output.ts';
import type { Style } from '../output/style.ts';
import { formatBytes } from '../output/units.ts';
import { wrapText } from '../output/wrap.ts';
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

export interface BusiestHost {
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

export function toOutcomeView(message: OutcomeMessage): OutcomeView {
  const outcome = domainOutcomeFromProto(message);
  const { kind, domain, lostSlots, lostShards, quorumKept } = outcome;
  return {
    kind,
    domain,
    survived: lostSlots.length === 0 && lostShards.length === 0 && quorumKept,
    mastersThere: outcome.mastersThere.toSorted(compareText),
    lostSlots: formatRanges(lostSlots).split(' ').filter(Boolean),
    lostSlotCount: countSlots(lostSlots),
    lostShards,
    failovers: outcome.failovers,
    mastersLeft: outcome.mastersLeft,
    mastersNeeded: outcome.mastersNeeded,
    quorumKept,
    replicasLeft: outcome.replicasLeft,
    busiestHost: toBusiestHost(outcome),
    worstHostAfter: toWorstHost(outcome),
  };
}

function toBusiestHost(outcome: DomainOutcome): BusiestHost | null {
  const { busiestHost: host, busiestHostUsedBytes: usedBytes } = outcome;
  if (host === '') return null;
  const memoryBytes = outcome.busiestHostMemoryBytes;
  return { host, usedBytes, memoryBytes: memoryBytes === 0 ? null : memoryBytes };
}

function toWorstHost(outcome: DomainOutcome): WorstHost | null {
  const { worstHostAfter: host, worstHostMastersAfter: masters } = outcome;
  if (host === '') return null;
  const mastersThen = outcome.mastersLeft + outcome.failovers.length;
  return { host, masters, quorumKept: mastersThen - masters >= outcome.mastersNeeded };
}

const LEGEND =
  'If it died now. MAJORITY: masters left / needed. REPLICAS: left in sync, of the shards that are ' +
  'worst off. MEMORY: of the fullest host then. AND THEN: the host that may have most masters ' +
  'after the failovers, and whether it may go as well.';

/** Hosts, then zones. */
export function renderOutcomes(outcomes: readonly OutcomeView[], view: View): string {
  const kinds = Map.groupBy(outcomes, ({ kind }) => kind);
  const tables = (['host', 'zone'] as const).flatMap((kind) => {
    const ofKind = kinds.get(kind)?.toSorted((a, b) => compareText(a.domain, b.domain));
    return ofKind === undefined ? [] : [renderTable(kind, ofKind, view)];
  });
  if (tables.length === 0) return 'Every host of the cluster is lost already.';
  return [...tables, view.style.faint(wrapText(LEGEND, { width: view.width }))].join('\n\n');
}

function renderTable(kind: string, outcomes: readonly OutcomeView[], view: View): string {
  const { style } = view;
  const rows = outcomes.map((outcome) => {
    // Without a majority nothing follows: it ends there.
    const { busiestHost, worstHostAfter } = outcome.quorumKept ? outcome : STOPPED;
    return [
      outcome.domain,
      outcome.mastersThere.join(', ') || 'none',
      outcome.lostSlotCount === 0 ? style.good('kept') : describeLostSlots(outcome, style),
      paintMajority(outcome, style),
      outcome.failovers.join(', ') || 'none',
      describeReplicas(outcome.replicasLeft),
      busiestHost === null ? '' : `${busiestHost.host} ${describeShare(busiestHost)}`,
      describeNext(worstHostAfter, style),
    ];
  });
  const columns = [
    kind.toUpperCase(),
    'MASTERS',
    'SLOTS',
    'MAJORITY',
    'FAILOVERS',
    'REPLICAS',
    'MEMORY',
    'AND THEN',
  ];
  return view.table(columns, rows);
}

const STOPPED = { busiestHost: null, worstHostAfter: null };

function describeLostSlots({ lostSlotCount, lostShards }: OutcomeView, style: Style): string {
  return `${style.bad('lost')} ${lostSlotCount} (${lostShards.join(', ')})`;
}

function paintMajority({ quorumKept, mastersLeft, mastersNeeded }: OutcomeView, style: Style) {
  const count = `${mastersLeft}/${mastersNeeded}`;
  return quorumKept ? `${style.good('kept')} ${count}` : `${style.bad('lost')} ${count}`;
}

/** The shards that are worst off: `none of s1, s2`, `1 of each`. */
export function describeReplicas(replicasLeft: OutcomeView['replicasLeft']): string {
  const counts = Object.values(replicasLeft);
  if (counts.length === 0) return '';
  const least = Math.min(...counts);
  const shards = Object.keys(replicasLeft)
    .filter((shard) => replicasLeft[shard] === least)
    .toSorted(compareText);
  const which = shards.length === counts.length ? 'each' : shards.join(', ');
  return `${least === 0 ? 'none' : least} of ${which}`;
}

/** As short as a table wants it; the whole is in `describeMemory`. */
function describeShare({ usedBytes, memoryBytes }: BusiestHost): string {
  return memoryBytes === null ? formatBytes(usedBytes) : formatPercent(usedBytes / memoryBytes);
}

/** `h2: 300 MiB of 4 GiB (7 %)` */
export function describeMemory({ host, usedBytes, memoryBytes }: BusiestHost): string {
  const used = `${host}: ${formatBytes(usedBytes)}`;
  if (memoryBytes === null) return used;
  return `${used} of ${formatBytes(memoryBytes)} (${formatPercent(usedBytes / memoryBytes)})`;
}

function formatPercent(share: number): string {
  return share > 0 && share < 0.01 ? '<1 %' : `${Math.round(100 * share)} %`;
}

function describeNext(worst: WorstHost | null, style: Style): string {
  if (worst === null) return '';
  const verdict = worst.quorumKept ? style.good('may go') : style.caution('must stay');
  return `${worst.host} has ${worst.masters}, ${verdict}`;
}

/** `5461 of 16384 slots (0-5460)` */
export function describeSlots({ lostSlotCount, lostSlots }: OutcomeView): string {
  return `${lostSlotCount} of ${SLOT_COUNT} slots (${lostSlots.join(' ')})`;
}
