/** Random operations and their journals. */
import type * as core from '@redrover/core';
import * as fc from 'fast-check';
import { bool, maybe, name, record, text, timeMs, uint32, word } from './field-arbitraries.ts';
import { moveOptions, moveReport } from './move-arbitraries.ts';
import { errorCode } from './shared-arbitraries.ts';

export const operation = record<core.Operation>({
  id: word,
  cluster: name,
  kind: fc.constantFrom<core.OperationKind[]>('create', 'change', 'repair', 'remove'),
  layoutNumber: uint32,
  state: fc.constantFrom<core.OperationState[]>(
    'running',
    'paused',
    'done',
    'failed',
    'cancelled',
    'needs-decision',
  ),
  createdAtMs: timeMs,
  endedAtMs: maybe(timeMs),
  message: text,
  purge: bool,
  reason: text,
  automatic: bool,
  move: moveOptions,
});

export const attempt = record<core.Attempt>({
  stepKey: word,
  startedAtMs: timeMs,
  endedAtMs: maybe(timeMs),
  outcome: fc.constantFrom('running', 'ok', 'failed'),
  errorCode: maybe(errorCode),
  message: text,
  move: maybe(moveReport),
});

export const waiting = record<core.Waiting>({ subject: text, reason: text });
