/** Room at the source for what clients write while slots move, and giving it back, also by a later agent. */
import type { MoveTask } from '../move-task.ts';
import type { MoveNodes } from '../mover/move-nodes.ts';
import { onLink } from './follow-task.ts';
import type { OutputBuffers } from './output-buffers.ts';
import type { TaskMemo } from './task-memo.ts';

export interface SourceRoomOptions {
  readonly buffers: OutputBuffers;
  readonly nodes: MoveNodes;
  readonly task: MoveTask;
  readonly memo: TaskMemo;
}

/** What clients may write into the slots, on top of what is in them. */
const SPARE_BYTES = 512 * 1024 ** 2;

export class SourceRoom {
  readonly #options: SourceRoomOptions;
  readonly #user: { readonly node: string; readonly task: string };

  constructor(options: SourceRoomOptions) {
    const { id, step } = options.task;
    this.#options = options;
    this.#user = { node: step.source.node, task: id };
  }

  /** What the last agent has raised for this task. */
  adopt(): void {
    const { memo, buffers } = this.#options;
    const { limit } = memo.read();
    if (limit !== undefined) buffers.adopt(this.#user, limit);
  }

  async raise(bytes: number): Promise<void> {
    const { buffers, nodes, memo } = this.#options;
    const request = { ...this.#user, bytes: bytes + SPARE_BYTES };
    await buffers.raise(await nodes.source.link(), request, (limit) => memo.add({ limit }));
  }

  /** A source that does not answer forgets it with its next start. */
  async putBack(): Promise<void> {
    const { buffers, nodes } = this.#options;
    await onLink(nodes.source, (link) => buffers.putBack(link, this.#user));
  }
}
