/**
 * Reads both ends of a task until they answer, are the masters that were meant, and agree on who owns its
 * slots. It waits for what passes by itself, and names what does not.
 */
import { RedroverError, type MoveSlotsStep } from '@redrover/core';
import type { MoveControls } from '../move-driver.ts';
import type { MoveNodes } from '../mover/move-nodes.ts';
import { describeSlots } from './describe-slots.ts';
import { ownershipOf, readEnds, type EndReadings, type Ownership } from './ownership.ts';
import { pause, pollMs } from './pace.ts';
import { findReplaced } from './replaced.ts';

export interface EndReaderOptions {
  readonly nodes: MoveNodes;
  readonly step: MoveSlotsStep;
  readonly controls: Pick<MoveControls, 'stop' | 'detach'>;
  /** How long an end may be silent, or the ends differ. */
  readonly silenceMs: number;
}

export class EndReader {
  readonly #options: EndReaderOptions;

  constructor(options: EndReaderOptions) {
    this.#options = options;
  }

  /** @throws RedroverError `unavailable`, or `failed-precondition` when an end is not what was meant. */
  async read(): Promise<EndReadings> {
    const { nodes, controls, silenceMs } = this.#options;
    const since = performance.now();
    for (;;) {
      // Whoever was told to stop waits for a silent end elsewhere, and tells it to stop as well.
      const isInVain = controls.stop.aborted && hasLostEnd(nodes);
      const ends = isInVain ? undefined : await readEnds(nodes);
      if (ends !== undefined && !ends.source.loading && !ends.target.loading) {
        this.#requireMasters(ends);
        return ends;
      }
      if (ends === undefined) await this.requireUnreplaced();
      if (isInVain || performance.now() - since > silenceMs) {
        throw new RedroverError('unavailable', this.#silentText(ends));
      }
      await pause(pollMs(performance.now() - since), controls);
    }
  }

  /** A handover is seen by one end before the other. */
  async settledOwners(slots: readonly number[], ends: EndReadings): Promise<Ownership> {
    const { step, controls, silenceMs } = this.#options;
    const since = performance.now();
    let owners = ownershipOf(step, slots, ends);
    while (owners.unclear.length > 0) {
      if (performance.now() - since > silenceMs) {
        throw new RedroverError(
          'failed-precondition',
          `${step.source.node} and ${step.target.node} do not agree that one of them ` +
            `owns ${describeSlots(owners.unclear)}; see \`redrover cluster check\``,
        );
      }
      await pause(pollMs(performance.now() - since), { ...controls, stop: controls.detach });
      owners = ownershipOf(step, slots, await this.read());
    }
    return owners;
  }

  /** Whoever was replaced is not waited for. @throws RedroverError `failed-precondition`. */
  async requireUnreplaced(): Promise<void> {
    const { nodes, step } = this.#options;
    const replaced = await findReplaced(nodes, step);
    if (replaced === undefined) return;
    throw new RedroverError(
      'failed-precondition',
      `${step[replaced].node} does not answer, and another node has its place: slots are moved ` +
        'between masters; plan again',
    );
  }

  #silentText(ends: EndReadings | undefined): string {
    const { source, target } = this.#options.step;
    const pair = `${source.node} and ${target.node}`;
    return ends === undefined
      ? `not both of ${pair} answer; once they do, the move goes on`
      : `not both of ${pair} have loaded their data; once they have, the move goes on`;
  }

  #requireMasters(ends: EndReadings): void {
    const { step } = this.#options;
    for (const name of ['source', 'target'] as const) {
      const { node, nodeId } = step[name];
      if (ends[name].nodeId !== nodeId) {
        throw new RedroverError('failed-precondition', `${node} is another node than planned`);
      }
      if (ends[name].role === 'master') continue;
      throw new RedroverError(
        'failed-precondition',
        `${node} is a replica now: slots are moved between masters; plan again`,
      );
    }
  }
}

function hasLostEnd({ source, target }: MoveNodes): boolean {
  return source.openLinkNow === undefined || target.openLinkNow === undefined;
}
