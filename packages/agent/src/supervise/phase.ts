/** Where a node's process is in its life, and what that is called for people. */
import type { ProcessState } from '@redrover/core';
import type { DesiredState, ProcessIdentity } from '../nodes/node-record.ts';

export type Phase =
  | { readonly kind: 'down' }
  | {
      readonly kind: 'up';
      readonly process: ProcessIdentity;
      /** When the process began, by the monotonic clock. */
      readonly startTick: number;
      answering: 'not yet' | 'yes' | 'no';
    }
  | { readonly kind: 'backoff'; readonly untilMs: number; readonly crashLoop: boolean }
  | { readonly kind: 'held'; readonly sinceMs: number; nextLookMs: number };

/** A node that does not answer so long after its start is not starting any more. */
const STARTING_MS = 15_000;

export function stateOf(phase: Phase, desired: DesiredState): ProcessState {
  switch (phase.kind) {
    case 'down':
      return desired === 'prepared' ? 'prepared' : 'stopped';
    case 'backoff':
      return phase.crashLoop ? 'crash-loop' : 'backoff';
    case 'held':
      return 'held';
    case 'up': {
      if (phase.answering === 'yes') return 'running';
      const ageMs = performance.now() - phase.startTick;
      const isNew = phase.answering === 'not yet' && ageMs < STARTING_MS;
      return isNew ? 'starting' : 'unresponsive';
    }
  }
}
