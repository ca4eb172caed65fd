/** Moving slots, between proto and core: options, movers at work, their progress and reports, surveys, previews. */
import { create } from '@bufbuild/protobuf';
import type * as core from '@redrover/core';
import * as proto from '@redrover/proto';
import { slotRangeFromProto, slotRangeToProto } from './cluster.ts';
import {
  enumMapping,
  invalidField,
  listFromProto,
  nameFromProto,
  nonEmptyFromProto,
  numberFromProto,
  numberToProto,
  optional,
  portFromProto,
  slotFromProto,
  timestampFromProto,
  timestampToProto,
} from './fields.ts';

const moveEngine = enumMapping<core.MoveEngine, proto.MoveEngine>({
  migrate: proto.MoveEngine.MIGRATE,
  'redis-atomic': proto.MoveEngine.REDIS_ATOMIC,
  'valkey-atomic': proto.MoveEngine.VALKEY_ATOMIC,
});

const moverState = enumMapping<core.MoverObservation['state'], proto.MoverState>({
  running: proto.MoverState.RUNNING,
  stopping: proto.MoverState.STOPPING,
});

const rebalanceBy = enumMapping<'slots' | 'keys' | 'memory', proto.RebalanceBy>({
  slots: proto.RebalanceBy.SLOTS,
  keys: proto.RebalanceBy.KEYS,
  memory: proto.RebalanceBy.MEMORY,
});

export function moveEngineToProto(engine: core.MoveEngine): proto.MoveEngine {
  return moveEngine.toProto(engine);
}

export function moveEngineFromProto(engine: proto.MoveEngine, path = 'engine'): core.MoveEngine {
  return moveEngine.fromProto(engine, path);
}

export function moveOptionsToProto(options: core.MoveOptions): proto.MoveOptions {
  const { engine, pace } = options;
  return create(proto.MoveOptionsSchema, {
    engine: engine === 'auto' ? proto.MoveEngine.UNSPECIFIED : moveEngine.toProto(engine),
    pace: pace === 'fast' ? proto.MovePace.FAST : proto.MovePace.GENTLE,
    maxLatencyMs: options.maxLatencyMs,
    rateBytesPerS: numberToProto(options.rateBytesPerS, 'move.rateBytesPerS'),
    maxKeyBytes: numberToProto(options.maxKeyBytes, 'move.maxKeyBytes'),
  });
}

/** A message that is missing means the defaults: whoever does not know of moves has no wishes. */
export function moveOptionsFromProto(
  message: proto.MoveOptions | undefined,
  path = 'move',
): core.MoveOptions {
  const {
    engine = proto.MoveEngine.UNSPECIFIED,
    pace = proto.MovePace.UNSPECIFIED,
    maxLatencyMs = 0,
    rateBytesPerS = 0n,
    maxKeyBytes = 0n,
  } = message ?? {};
  if (pace > proto.MovePace.FAST) throw invalidField(`${path}.pace`, `${pace} is unknown`);
  return {
    engine:
      engine === proto.MoveEngine.UNSPECIFIED
        ? 'auto'
        : moveEngine.fromProto(engine, `${path}.engine`),
    pace: pace === proto.MovePace.FAST ? 'fast' : 'gentle',
    maxLatencyMs,
    rateBytesPerS: numberFromProto(rateBytesPerS, `${path}.rateBytesPerS`),
    maxKeyBytes: numberFromProto(maxKeyBytes, `${path}.maxKeyBytes`),
  };
}

export function moveEndFromProto(message: proto.MoveEnd, path = 'end'): core.MoveEnd {
  return {
    node: nonEmptyFromProto(message.node, `${path}.node`),
    nodeId: nonEmptyFromProto(message.nodeId, `${path}.nodeId`),
    address: nonEmptyFromProto(message.address, `${path}.address`),
    port: portFromProto(message.port, `${path}.port`),
  };
}

export function moverToProto(mover: core.MoverObservation): proto.MoverObservation {
  return create(proto.MoverObservationSchema, {
    id: mover.id,
    cluster: mover.cluster,
    engine: moveEngine.toProto(mover.engine),
    source: mover.source,
    target: mover.target,
    slots: mover.slots.map(slotRangeToProto),
    state: moverState.toProto(mover.state),
    leaseUntil: timestampToProto(mover.leaseUntilMs),
  });
}

export function moverFromProto(
  message: proto.MoverObservation,
  path = 'mover',
): core.MoverObservation {
  return {
    id: nameFromProto(message.id, `${path}.id`),
    cluster: nameFromProto(message.cluster, `${path}.cluster`),
    engine: moveEngine.fromProto(message.engine, `${path}.engine`),
    source: nonEmptyFromProto(message.source, `${path}.source`),
    target: nonEmptyFromProto(message.target, `${path}.target`),
    slots: listFromProto(message.slots, `${path}.slots`, slotRangeFromProto),
    state: moverState.fromProto(message.state, `${path}.state`),
    leaseUntilMs: timestampFromProto(message.leaseUntil, `${path}.leaseUntil`),
  };
}

export function moveProgressToProto(progress: core.MoveProgress): proto.MoveProgress {
  const number = (field: ProgressNumber) => numberToProto(progress[field], `progress.${field}`);
  return create(proto.MoveProgressSchema, {
    ...progress,
    engine: moveEngine.toProto(progress.engine),
    keysDone: number('keysDone'),
    keysTotal: number('keysTotal'),
    bytesDone: number('bytesDone'),
    bytesTotal: number('bytesTotal'),
  });
}

type ProgressNumber = 'keysDone' | 'keysTotal' | 'bytesDone' | 'bytesTotal';

export function moveProgressFromProto(
  message: proto.MoveProgress,
  path = 'progress',
): core.MoveProgress {
  const number = (field: ProgressNumber) => numberFromProto(message[field], `${path}.${field}`);
  return {
    source: nonEmptyFromProto(message.source, `${path}.source`),
    target: nonEmptyFromProto(message.target, `${path}.target`),
    engine: moveEngine.fromProto(message.engine, `${path}.engine`),
    slotsDone: message.slotsDone,
    slotsTotal: message.slotsTotal,
    keysDone: number('keysDone'),
    keysTotal: number('keysTotal'),
    bytesDone: number('bytesDone'),
    bytesTotal: number('bytesTotal'),
    keysPerS: amountFromProto(message.keysPerS, `${path}.keysPerS`),
    bytesPerS: amountFromProto(message.bytesPerS, `${path}.bytesPerS`),
    blockedMs: amountFromProto(message.blockedMs, `${path}.blockedMs`),
    quarantinedSlots: message.quarantinedSlots,
    state: message.state,
  };
}

export function moveReportToProto(report: core.MoveReport): proto.MoveReport {
  return create(proto.MoveReportSchema, {
    engine: moveEngine.toProto(report.engine),
    slotsMoved: report.slotsMoved,
    keysMoved: numberToProto(report.keysMoved, 'report.keysMoved'),
    bytesMoved: numberToProto(report.bytesMoved, 'report.bytesMoved'),
    blockedMs: report.blockedMs,
    quarantined: report.quarantined.map((slot) => ({ ...slot, evidence: [...slot.evidence] })),
    notes: [...report.notes],
  });
}

export function moveReportFromProto(message: proto.MoveReport, path = 'report'): core.MoveReport {
  return {
    engine: moveEngine.fromProto(message.engine, `${path}.engine`),
    slotsMoved: message.slotsMoved,
    keysMoved: numberFromProto(message.keysMoved, `${path}.keysMoved`),
    bytesMoved: numberFromProto(message.bytesMoved, `${path}.bytesMoved`),
    blockedMs: amountFromProto(message.blockedMs, `${path}.blockedMs`),
    quarantined: listFromProto(message.quarantined, `${path}.quarantined`, (slot, at) => ({
      slot: slotFromProto(slot.slot, `${at}.slot`),
      rule: nonEmptyFromProto(slot.rule, `${at}.rule`),
      message: slot.message,
      evidence: [...slot.evidence],
      remedy: slot.remedy,
    })),
    notes: [...message.notes],
  };
}

export function slotSurveyToProto(survey: core.SlotSurvey): proto.SlotSurvey {
  return create(proto.SlotSurveySchema, {
    node: survey.node,
    slots: survey.slots.map(({ slot, keys, bytes }) => ({
      slot,
      keys: numberToProto(keys, 'survey.keys'),
      bytes: numberToProto(bytes, 'survey.bytes'),
    })),
    keysSampled: numberToProto(survey.keysSampled, 'survey.keysSampled'),
    largestKey: optional(survey.largestKey, largestKeyToProto),
    complete: survey.complete,
    functionLibraries: [...survey.functionLibraries],
  });
}

export function slotSurveyFromProto(message: proto.SlotSurvey, path = 'survey'): core.SlotSurvey {
  return {
    node: nonEmptyFromProto(message.node, `${path}.node`),
    slots: listFromProto(message.slots, `${path}.slots`, ({ slot, keys, bytes }, at) => ({
      slot: slotFromProto(slot, `${at}.slot`),
      keys: numberFromProto(keys, `${at}.keys`),
      bytes: numberFromProto(bytes, `${at}.bytes`),
    })),
    keysSampled: numberFromProto(message.keysSampled, `${path}.keysSampled`),
    largestKey: optional(message.largestKey, (key) =>
      largestKeyFromProto(key, `${path}.largestKey`),
    ),
    complete: message.complete,
    functionLibraries: [...message.functionLibraries],
  };
}

export function plannedMoveToProto(move: core.PlannedMove): proto.PlannedMove {
  return create(proto.PlannedMoveSchema, {
    ...move,
    engine: moveEngine.toProto(move.engine),
    slots: move.slots.map(slotRangeToProto),
    keys: numberToProto(move.keys, 'move.keys'),
    bytes: numberToProto(move.bytes, 'move.bytes'),
    largestKey: optional(move.largestKey, largestKeyToProto),
  });
}

export function plannedMoveFromProto(message: proto.PlannedMove, path = 'move'): core.PlannedMove {
  return {
    from: nonEmptyFromProto(message.from, `${path}.from`),
    to: nonEmptyFromProto(message.to, `${path}.to`),
    source: nonEmptyFromProto(message.source, `${path}.source`),
    target: nonEmptyFromProto(message.target, `${path}.target`),
    engine: moveEngine.fromProto(message.engine, `${path}.engine`),
    slots: listFromProto(message.slots, `${path}.slots`, slotRangeFromProto),
    keys: numberFromProto(message.keys, `${path}.keys`),
    bytes: numberFromProto(message.bytes, `${path}.bytes`),
    largestKey: optional(message.largestKey, (key) =>
      largestKeyFromProto(key, `${path}.largestKey`),
    ),
    blockingMs: amountFromProto(message.blockingMs, `${path}.blockingMs`),
    durationMs: amountFromProto(message.durationMs, `${path}.durationMs`),
    complete: message.complete,
  };
}

export function reshardToProto(change: core.Reshard): proto.Reshard {
  switch (change.kind) {
    case 'rebalance': {
      const value = { by: rebalanceBy.toProto(change.by), weights: { ...change.weights } };
      return create(proto.ReshardSchema, { change: { case: 'rebalance', value } });
    }
    case 'moveSlots': {
      const value = { slots: change.slots.map(slotRangeToProto), to: change.to };
      return create(proto.ReshardSchema, { change: { case: 'moveSlots', value } });
    }
    case 'spread':
      return create(proto.ReshardSchema, { change: { case: 'spread', value: {} } });
  }
}

export function reshardFromProto({ change }: proto.Reshard, path = 'change'): core.Reshard {
  switch (change.case) {
    case 'rebalance': {
      const { by, weights } = change.value;
      for (const [shard, weight] of Object.entries(weights)) {
        amountFromProto(weight, `${path}.rebalance.weights[${shard}]`);
      }
      const of = rebalanceBy.fromProto(by, `${path}.rebalance.by`);
      return { kind: change.case, by: of, weights: { ...weights } };
    }
    case 'moveSlots': {
      const at = `${path}.moveSlots`;
      const slots = listFromProto(change.value.slots, `${at}.slots`, slotRangeFromProto);
      return { kind: change.case, slots, to: nonEmptyFromProto(change.value.to, `${at}.to`) };
    }
    case 'spread':
      return { kind: change.case };
    case undefined:
      throw invalidField(path, 'no change is set, or one that this version does not know');
  }
}

function largestKeyToProto(key: core.LargestKey) {
  return { ...key, bytes: numberToProto(key.bytes, 'largestKey.bytes') };
}

function largestKeyFromProto(message: proto.LargestKey, path: string): core.LargestKey {
  return {
    slot: slotFromProto(message.slot, `${path}.slot`),
    name: message.name,
    type: message.type,
    bytes: numberFromProto(message.bytes, `${path}.bytes`),
  };
}

/** A rate, a duration or a weight: finite, not negative. */
function amountFromProto(value: number, path: string): number {
  if (Number.isFinite(value) && value >= 0) return value;
  throw invalidField(path, `${value} is not a number from 0 on`);
}
