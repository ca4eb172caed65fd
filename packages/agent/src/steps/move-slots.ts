/** `moveSlots` and `stopMoves`: the desk of moves does it, this only says so. */
import { RedroverError, type Fence, type MoveSlotsStep, type StopMovesStep } from '@redrover/core';
import { sayMoved } from '../migrate/outcomes.ts';
import type { HostContext, StepEffect, StepRun } from './step-context.ts';

export async function moveSlots(
  { moves }: HostContext,
  step: MoveSlotsStep,
  fence: Fence,
  { signal, onMove, isAwaited }: StepRun,
): Promise<StepEffect> {
  const { source, target, node } = step;
  if (node !== source.node && node !== target.node) {
    throw new RedroverError(
      'invalid-argument',
      `${node} is neither source nor target of the move from ${source.node} to ${target.node}`,
    );
  }
  const onStatus: Parameters<typeof moves.move>[2]['onStatus'] = ({ progress }) => onMove(progress);
  const move = await moves.move(step, fence, { signal, onStatus, isAwaited });
  return { touched: [node], message: sayMoved(move), move };
}

export async function stopMoves(
  { moves }: HostContext,
  _: StopMovesStep,
  { cluster }: Fence,
  { signal }: StepRun,
): Promise<StepEffect> {
  const stopped = await moves.stopAll(cluster, signal);
  return {
    touched: [],
    message: stopped === 0 ? '' : `${stopped} ${stopped === 1 ? 'mover' : 'movers'} stopped`,
  };
}
