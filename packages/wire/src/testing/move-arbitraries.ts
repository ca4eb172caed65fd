/** Random values of what concerns moving slots, as wide as the types and the documented bounds allow. */
import type * as core from '@redrover/core';
import * as fc from 'fast-check';
import {
  bool,
  list,
  maybe,
  name,
  port,
  record,
  slot,
  slotRange,
  text,
  timeMs,
  uint32,
  uint64,
  word,
} from './field-arbitraries.ts';

const amount = fc.double({ min: 0, max: 1e12, noNaN: true }).map((value) => value + 0);

export const moveEngine = fc.constantFrom<core.MoveEngine[]>(
  'migrate',
  'redis-atomic',
  'valkey-atomic',
);

export const orphanKeys = record<core.OrphanKeys>({
  keys: uint64,
  slotCount: uint32,
  slots: list(record<core.SlotKeys>({ slot: uint32, keys: uint64 })),
});

export const moveOptions = record<core.MoveOptions>({
  engine: fc.oneof(fc.constant('auto' as const), moveEngine),
  pace: fc.constantFrom('gentle', 'fast'),
  maxLatencyMs: uint32,
  rateBytesPerS: uint64,
  maxKeyBytes: uint64,
});

export const moveEnd = record<core.MoveEnd>({ node: word, nodeId: word, address: word, port });

export const mover = record<core.MoverObservation>({
  id: name,
  cluster: name,
  engine: moveEngine,
  source: word,
  target: word,
  slots: list(slotRange),
  state: fc.constantFrom('running', 'stopping'),
  leaseUntilMs: timeMs,
});

export const moveProgress = record<core.MoveProgress>({
  source: word,
  target: word,
  engine: moveEngine,
  slotsDone: uint32,
  slotsTotal: uint32,
  keysDone: uint64,
  keysTotal: uint64,
  bytesDone: uint64,
  bytesTotal: uint64,
  keysPerS: amount,
  bytesPerS: amount,
  blockedMs: amount,
  quarantinedSlots: uint32,
  state: text,
});

export const moveReport = record<core.MoveReport>({
  engine: moveEngine,
  slotsMoved: uint32,
  keysMoved: uint64,
  bytesMoved: uint64,
  blockedMs: amount,
  quarantined: list(
    record<core.QuarantinedSlot>({
      slot,
      rule: word,
      message: text,
      evidence: list(text),
      remedy: text,
    }),
  ),
  notes: list(text),
});

const largestKey = record<core.LargestKey>({ slot, name: text, type: text, bytes: uint64 });

export const slotSurvey = record<core.SlotSurvey>({
  node: word,
  slots: list(record<core.SlotStats>({ slot, keys: uint64, bytes: uint64 })),
  keysSampled: uint64,
  largestKey: maybe(largestKey),
  complete: bool,
  functionLibraries: list(word),
});

export const plannedMove = record<core.PlannedMove>({
  from: word,
  to: word,
  source: word,
  target: word,
  engine: moveEngine,
  slots: list(slotRange),
  keys: uint64,
  bytes: uint64,
  largestKey: maybe(largestKey),
  blockingMs: amount,
  durationMs: amount,
  complete: bool,
});

export const reshard: fc.Arbitrary<core.Reshard> = fc.oneof(
  fc.record({
    kind: fc.constant('rebalance' as const),
    by: fc.constantFrom('slots' as const, 'keys' as const, 'memory' as const),
    weights: fc.dictionary(word, amount, { maxKeys: 4, noNullPrototype: true }),
  }),
  fc.record({ kind: fc.constant('moveSlots' as const), slots: list(slotRange), to: word }),
  fc.record({ kind: fc.constant('spread' as const) }),
);
