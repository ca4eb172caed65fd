/** Operations, attempts and waits between proto and core. */
import { create } from '@bufbuild/protobuf';
import type * as core from '@redrover/core';
import * as proto from '@redrover/proto';
import { errorCodeFromProto } from './error.ts';
import {
  moveOptionsFromProto,
  moveOptionsToProto,
  moveReportFromProto,
  moveReportToProto,
} from './migration.ts';
import {
  enumMapping,
  nameFromProto,
  nonEmptyFromProto,
  optional,
  timestampFromProto,
  timestampToProto,
} from './fields.ts';

const operationKind = enumMapping<core.OperationKind, proto.OperationKind>({
  create: proto.OperationKind.CREATE,
  change: proto.OperationKind.CHANGE,
  repair: proto.OperationKind.REPAIR,
  remove: proto.OperationKind.REMOVE,
});

const operationState = enumMapping<core.OperationState, proto.OperationState>({
  running: proto.OperationState.RUNNING,
  paused: proto.OperationState.PAUSED,
  done: proto.OperationState.DONE,
  failed: proto.OperationState.FAILED,
  cancelled: proto.OperationState.CANCELLED,
  'needs-decision': proto.OperationState.NEEDS_DECISION,
});

const attemptOutcome = enumMapping<core.Attempt['outcome'], proto.AttemptOutcome>({
  running: proto.AttemptOutcome.RUNNING,
  ok: proto.AttemptOutcome.OK,
  failed: proto.AttemptOutcome.FAILED,
});

export function operationKindToProto(kind: core.OperationKind): proto.OperationKind {
  return operationKind.toProto(kind);
}

export function operationKindFromProto(
  kind: proto.OperationKind,
  path = 'kind',
): core.OperationKind {
  return operationKind.fromProto(kind, path);
}

export function operationToProto(operation: core.Operation): proto.Operation {
  const { endedAtMs } = operation;
  return create(proto.OperationSchema, {
    id: operation.id,
    cluster: operation.cluster,
    kind: operationKind.toProto(operation.kind),
    layoutNumber: operation.layoutNumber,
    state: operationState.toProto(operation.state),
    createdAt: timestampToProto(operation.createdAtMs),
    endedAt: optional(endedAtMs, timestampToProto),
    message: operation.message,
    purge: operation.purge,
    reason: operation.reason,
    automatic: operation.automatic,
    move: moveOptionsToProto(operation.move),
  });
}

export function operationFromProto(message: proto.Operation, path = 'operation'): core.Operation {
  return {
    id: nonEmptyFromProto(message.id, `${path}.id`),
    cluster: nameFromProto(message.cluster, `${path}.cluster`),
    kind: operationKind.fromProto(message.kind, `${path}.kind`),
    layoutNumber: message.layoutNumber,
    state: operationState.fromProto(message.state, `${path}.state`),
    createdAtMs: timestampFromProto(message.createdAt, `${path}.createdAt`),
    endedAtMs: optional(message.endedAt, (at) => timestampFromProto(at, `${path}.endedAt`)),
    message: message.message,
    purge: message.purge,
    reason: message.reason,
    automatic: message.automatic,
    move: moveOptionsFromProto(message.move, `${path}.move`),
  };
}

export function attemptToProto(attempt: core.Attempt): proto.Attempt {
  const { endedAtMs } = attempt;
  return create(proto.AttemptSchema, {
    stepKey: attempt.stepKey,
    startedAt: timestampToProto(attempt.startedAtMs),
    endedAt: optional(endedAtMs, timestampToProto),
    outcome: attemptOutcome.toProto(attempt.outcome),
    errorCode: attempt.errorCode ?? '',
    message: attempt.message,
    move: optional(attempt.move, moveReportToProto),
  });
}

export function attemptFromProto(message: proto.Attempt, path = 'attempt'): core.Attempt {
  return {
    stepKey: nonEmptyFromProto(message.stepKey, `${path}.stepKey`),
    startedAtMs: timestampFromProto(message.startedAt, `${path}.startedAt`),
    endedAtMs: optional(message.endedAt, (at) => timestampFromProto(at, `${path}.endedAt`)),
    outcome: attemptOutcome.fromProto(message.outcome, `${path}.outcome`),
    errorCode: message.errorCode === '' ? undefined : errorCodeFromProto(message.errorCode),
    message: message.message,
    move: optional(message.move, (report) => moveReportFromProto(report, `${path}.move`)),
  };
}

export function waitingToProto(waiting: core.Waiting): proto.Waiting {
  return create(proto.WaitingSchema, { subject: waiting.subject, reason: waiting.reason });
}

export function waitingFromProto(message: proto.Waiting): core.Waiting {
  return { subject: message.subject, reason: message.reason };
}
