/** What of an atomic task survives the agent, beside the task itself. Written rarely, as each write is forced. */
import { RedroverError, type SlotRange } from '@redrover/core';
import type { MoveControls } from '../move-driver.ts';
import type { BufferLimit } from './output-buffers.ts';

export interface Remembered {
  /** What to put back on the source. */
  readonly limit?: BufferLimit;
  /** At the target before the task began: not its work. */
  readonly before?: readonly SlotRange[];
}

export class TaskMemo {
  readonly #controls: Pick<MoveControls, 'readMemo' | 'writeMemo'>;

  constructor(controls: Pick<MoveControls, 'readMemo' | 'writeMemo'>) {
    this.#controls = controls;
  }

  /** @throws RedroverError `internal` for what nobody of us has written. */
  read(): Remembered {
    const text = this.#controls.readMemo();
    if (text === '') return {};
    try {
      return JSON.parse(text) as Remembered;
    } catch (cause) {
      throw new RedroverError('internal', 'the memo of a slot migration is not what was written', {
        cause,
      });
    }
  }

  /** Resolves when it is on disk. */
  async add(part: Remembered): Promise<void> {
    const text = JSON.stringify({ ...this.read(), ...part });
    if (text !== this.#controls.readMemo()) await this.#controls.writeMemo(text);
  }
}
