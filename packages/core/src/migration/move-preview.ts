/** What a preview of moves is made from, and what it says; `preview.ts` makes it. */
import type { Finding } from '../model/finding.ts';
import type { NodeKey } from '../model/layout.ts';
import type { MoveEngine, MoveOptions, PlannedMove, SlotSurvey } from '../model/migration.ts';
import type { SlotRange } from '../model/slots.ts';
import type { MoveLimits } from './move-limits.ts';

export interface PreviewInput {
  /** Pairs to be moved, in the order in which the plan shows them. */
  readonly pairs: readonly PreviewPair[];
  /** Every node that takes part: sources, targets and the replicas of both. */
  readonly nodes: Readonly<Record<NodeKey, PreviewNode>>;
  /** One for each source that answered. */
  readonly surveys: readonly SlotSurvey[];
  readonly options: MoveOptions;
  readonly nodeTimeoutMs: number;
}

export interface PreviewPair {
  /** Shard ids. */
  readonly from: string;
  readonly to: string;
  readonly source: NodeKey;
  readonly target: NodeKey;
  readonly engine: MoveEngine;
  readonly slots: readonly SlotRange[];
}

export interface PreviewNode {
  readonly key: NodeKey;
  /** False: it does not exist yet (a node that the plan adds), so nothing can be read from it. */
  readonly exists: boolean;
  /** False: it exists and does not answer. */
  readonly answers: boolean;
  readonly loading: boolean;
  readonly product: 'redis' | 'valkey';
  /** Empty: not known. */
  readonly version: string;
  readonly usedMemoryBytes: number;
  /** 0: no limit. */
  readonly maxmemoryBytes: number;
  /** Slots that are open on it. */
  readonly openSlots: number;
}

export interface MovePreview {
  readonly moves: readonly PlannedMove[];
  readonly findings: readonly Finding[];
  /** If pairs of disjoint nodes go at once, as the waves of the plan have it. */
  readonly durationMs: number;
}

/** What the rules of a preview look at. */
export interface PreviewPicture {
  readonly input: PreviewInput;
  readonly moves: readonly PlannedMove[];
  readonly limits: MoveLimits;
}

export type PreviewRule = (picture: PreviewPicture) => Finding[];
