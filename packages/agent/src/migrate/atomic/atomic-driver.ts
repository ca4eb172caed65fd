/** The engines where the servers do the work, as the desk sees them: this agent asks, follows and verifies. */
import { join } from 'node:path';
import type { MoveControls, MoveDriver } from '../move-driver.ts';
import type { MoveOutcome, MoveTask } from '../move-task.ts';
import { MoveNodes } from '../mover/move-nodes.ts';
import { TaskFiles } from '../task-files.ts';
import type { AtomicProtocol } from './atomic-protocol.ts';
import { AtomicRun } from './atomic-run.ts';
import { OutputBuffers } from './output-buffers.ts';

export class AtomicDriver implements MoveDriver {
  readonly #protocol: AtomicProtocol;
  readonly #directory: string;
  readonly #buffers = new OutputBuffers();

  /** @param directory of the tasks' own directories. */
  constructor(protocol: AtomicProtocol, directory: string) {
    this.#protocol = protocol;
    this.#directory = directory;
  }

  async run(task: MoveTask, controls: MoveControls): Promise<MoveOutcome> {
    const nodes = new MoveNodes(task.step, controls.password);
    try {
      const parts = { protocol: this.#protocol, buffers: this.#buffers, nodes, task, controls };
      const outcome = await new AtomicRun(parts).run();
      // So that no later agent takes a task up that has ended.
      await new TaskFiles(join(this.#directory, task.id)).writeOutcome(outcome);
      return outcome;
    } finally {
      nodes.close();
    }
  }
}
