/**
 * Watches an operation to its end and shows it. Ctrl-C ends the watching, never the operation; a
 * controller that goes away is waited for, as the operation goes on when it is back.
 */
import { RedroverError } from '@redrover/core';
import type { Attempt, Operation } from '@redrover/core';
import type { WatchOperationResponse } from '@redrover/proto';
import {
  attemptFromProto,
  moveProgressFromProto,
  operationFromProto,
  waitingFromProto,
} from '@redrover/wire';
import { setTimeout as delay } from 'node:timers/promises';

import type { Api } from '../connection/api.ts';
import { isUnreachable } from '../connection/unreachable.ts';
import type { Output } from '../output/output.ts';
import { createDisplay } from './display.ts';
import type { Display } from './display.ts';
import { OperationDisplay } from './operation-display.ts';
import { applyEvent, hasEnded, startProgress } from './operation-progress.ts';
import type { OperationEvent } from './operation-progress.ts';

export interface WatchInput {
  readonly api: Api;
  readonly output: Output;
  readonly operation: Operation;
  readonly foreseenSteps?: number | undefined;
  /** Ends the watching from outside, beside Ctrl-C. */
  readonly signal?: AbortSignal | undefined;
  /** A part of one that several operations share; undefined: one of its own. */
  readonly display?: Display | undefined;
}

export type WatchResult =
  | {
      readonly kind: 'ended';
      readonly operation: Operation;
      /** All attempts at moving slots. */
      readonly moves: readonly Attempt[];
    }
  | { readonly kind: 'detached'; readonly operation: Operation };

const REDRAW_INTERVAL_MS = 100;

// A controller that restarts is back within seconds; after this a person should look.
const RECONNECT_LIMIT_MS = 60_000;
const RECONNECT_PAUSE_MS = 500;

/** Errors: what the controller said; `unavailable` when it stays away. */
export async function watchOperation(input: WatchInput): Promise<WatchResult> {
  const { api, output, operation } = input;
  const interrupt = new AbortController();
  const onInterrupt = (): void => interrupt.abort();
  process.on('SIGINT', onInterrupt);
  const signals = input.signal === undefined ? [] : [input.signal];
  const signal = AbortSignal.any([interrupt.signal, ...signals]);
  const display = input.display ?? createDisplay(output.stderr, output.notes);
  const shown = new OperationDisplay(display, output.notes.style);
  let progress = startProgress(operation, input.foreseenSteps);
  const redrawing = setInterval(() => shown.redraw(progress, Date.now()), REDRAW_INTERVAL_MS);
  try {
    for await (const event of followEvents({ api, operationId: operation.id, signal, shown })) {
      progress = applyEvent(progress, event);
      shown.onEvent(event, progress, Date.now());
    }
    if (!hasEnded(progress)) return { kind: 'detached', operation: progress.operation };
    return { kind: 'ended', operation: progress.operation, moves: [...progress.moves.values()] };
  } finally {
    clearInterval(redrawing);
    shown.clear();
    process.off('SIGINT', onInterrupt);
  }
}

interface FollowInput {
  readonly api: Api;
  readonly operationId: string;
  readonly signal: AbortSignal;
  readonly shown: OperationDisplay;
}

/** Ends when the operation has ended or the signal aborts; connects again in between. */
async function* followEvents(input: FollowInput): AsyncGenerator<OperationEvent> {
  const { api, operationId, signal, shown } = input;
  let lostAtMs: number | undefined;
  for (;;) {
    try {
      const events = api.operations.watchOperation({ operation: operationId }, { signal });
      for await (const message of events) {
        lostAtMs = undefined;
        const event = toEvent(message);
        if (event !== undefined) yield event;
        if (event?.kind === 'operation' && event.operation.endedAtMs !== undefined) return;
      }
    } catch (thrown) {
      if (signal.aborted) return;
      const error = RedroverError.from(thrown);
      if (!isUnreachable(error)) throw error;
      lostAtMs ??= sayLost(shown);
      if (Date.now() - lostAtMs > RECONNECT_LIMIT_MS) throw error;
    }
    await delay(RECONNECT_PAUSE_MS);
    if (signal.aborted) return;
  }
}

function sayLost(shown: OperationDisplay): number {
  shown.say('The controller does not answer; what is under way on the hosts goes on. Waiting...');
  return Date.now();
}

function toEvent({ event }: WatchOperationResponse): OperationEvent | undefined {
  switch (event.case) {
    case 'operation':
      return { kind: 'operation', operation: operationFromProto(event.value) };
    case 'attempt':
      return { kind: 'attempt', attempt: attemptFromProto(event.value) };
    case 'waits':
      return { kind: 'waits', waits: event.value.waits.map((each) => waitingFromProto(each)) };
    case 'progress': {
      const { stepKey, line, fraction } = event.value;
      const move =
        event.value.move === undefined ? undefined : moveProgressFromProto(event.value.move);
      return { kind: 'progress', stepKey, line, fraction, move };
    }
    // A newer controller may tell more than this redrover knows.
    case undefined:
      return undefined;
  }
}
