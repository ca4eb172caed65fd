/** Room at the source for what clients write while slots move, and giving it back, also by a later agent. */
import { RedroverError } from '@redrover/core';
import type { MoveControls } from '../move-driver.ts';
import type { MoveTask } from '../move-task.ts';
import type { MoveNodes } from '../mover/move-nodes.ts';
import { onLink } from './follow-task.ts';
import type { BufferLimit, OutputBuffers } from './output-buffers.ts';

export interface SourceRoomOptions {
  readonly buffers: OutputBuffers;
  readonly nodes: MoveNodes;
  readonly task: MoveTask;
  readonly controls: Pick<MoveControls, 'readMemo' | 'writeMemo'>;
}

/** What survives the agent. */
interface Memo {
  /** What to put back on the source. */
  readonly limit: BufferLimit;
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
    const text = this.#options.controls.readMemo();
    if (text !== '') this.#options.buffers.adopt(this.#user, parseMemo(text).limit);
  }

  async raise(bytes: number): Promise<void> {
    const { buffers, nodes, controls } = this.#options;
    const request = { ...this.#user, bytes: bytes + SPARE_BYTES };
    await buffers.raise(await nodes.source.link(), request, async (limit) => {
      const memo = JSON.stringify({ limit } satisfies Memo);
      if (memo !== controls.readMemo()) await controls.writeMemo(memo);
    });
  }

  /** A source that does not answer forgets it with its next start. */
  async putBack(): Promise<void> {
    const { buffers, nodes } = this.#options;
    await onLink(nodes.source, (link) => buffers.putBack(link, this.#user));
  }
}

function parseMemo(text: string): Memo {
  try {
    return JSON.parse(text) as Memo;
  } catch (cause) {
    throw new RedroverError('internal', 'the memo of a slot migration is not what was written', {
      cause,
    });
  }
}
