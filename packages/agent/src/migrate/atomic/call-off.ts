/**
 * Sees to it that nothing of a task goes on: it has ended when both ends' own lists say so. An end that
 * does not answer may go on with it later, so it is asked again, and told again, for as long as it takes.
 * One that was started anew lists nothing, as servers keep their tasks in memory only.
 */
import type { MoveSlotsStep } from '@redrover/core';
import type { MoveControls } from '../move-driver.ts';
import type { MoveNodes } from '../mover/move-nodes.ts';
import type { AtomicProtocol } from './atomic-protocol.ts';
import { onLink } from './follow-task.ts';
import { pause, pollMs } from './pace.ts';
import { isReplaced, type EndName } from './replaced.ts';
import { ownTasks } from './running-tasks.ts';

export interface CallOffOptions {
  readonly protocol: AtomicProtocol;
  readonly nodes: MoveNodes;
  readonly step: MoveSlotsStep;
  readonly slots: readonly number[];
  readonly controls: Pick<MoveControls, 'detach'>;
  /** Now and then, while an end does not say that it has ended. */
  readonly onWait: (ends: readonly EndName[]) => Promise<void>;
}

/** Rejects only when the agent ends. */
export async function callOff(options: CallOffOptions): Promise<void> {
  const { controls, onWait } = options;
  const since = performance.now();
  for (;;) {
    controls.detach.throwIfAborted();
    const left = await tellEnds(options);
    if (left.length === 0) return;
    await onWait(left);
    const wait = pollMs(performance.now() - since);
    await pause(wait, { stop: controls.detach, detach: controls.detach });
  }
}

/** Answers the ends at which it has not ended, as far as is known. */
async function tellEnds(options: CallOffOptions): Promise<EndName[]> {
  const { cancelOrder } = options.protocol;
  // Where only one end takes the order, the other one notices.
  const rest = (['source', 'target'] as const).filter((end) => !cancelOrder.includes(end));
  const left: EndName[] = [];
  for (const end of [...cancelOrder, ...rest]) {
    if (!(await hasEnded(options, end))) left.push(end);
  }
  return left;
}

async function hasEnded(options: CallOffOptions, end: EndName): Promise<boolean> {
  const { protocol, nodes, step, slots } = options;
  if (nodes[end].openLinkNow === undefined && (await isReplaced(nodes, step, end))) return true;
  const isOver = await onLink(nodes[end], async (link) => {
    const tasks = await protocol.list(link);
    const running = ownTasks(tasks, step, slots);
    const failed = protocol.retryingEnd === end ? ownTasks(tasks, step, slots, 'failed') : [];
    const told = protocol.cancelOrder.includes(end) ? [...running, ...failed] : [];
    let isCancelled = false;
    for (const { id } of told) isCancelled = (await protocol.cancel(link, id)) || isCancelled;
    // A cancelled task is put away within a poll of the server's own clock, ten times a second.
    return running.length === 0 && !isCancelled;
  });
  return isOver === true;
}
