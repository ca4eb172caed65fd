/** How many keys a cluster had before slots of it were moved, and has after: for people to compare. */
import { countSlots, normalizeRanges, SLOT_COUNT, type Observation } from '@redrover/core';

export class KeyTotals {
  #before: Observation | undefined;
  #last: Observation | undefined;

  /**
   * Each turn; counted is in the end, and only what was seen last before and after. `hasMoved`: of an operation that a
   * restarted controller goes on with, the beginning is not known any more.
   */
  note(observation: Observation, { hasMoved }: { readonly hasMoved: boolean }): void {
    this.#last = observation;
    if (!hasMoved) this.#before = observation;
  }

  /** Empty where one of the two is not known. */
  describe(): string {
    const before = this.#before && countKeys(this.#before);
    const after = this.#last && countKeys(this.#last);
    if (before === undefined || after === undefined) return '';
    const difference = after - before;
    const change =
      difference === 0
        ? 'as many as before'
        : `${Math.abs(difference).toLocaleString('en')} ${difference < 0 ? 'fewer' : 'more'} than before, where clients wrote or keys expired`;
    return `${after.toLocaleString('en')} keys in all, ${change}`;
  }
}

/** Of the masters that own all slots together, each once; undefined while they do not. */
function countKeys({ nodes }: Observation): number | undefined {
  let keys = 0;
  let owned = 0;
  const ranges = Object.values(nodes).flatMap(({ process, redis }) => {
    const self = redis?.view.nodes.find(({ nodeId }) => nodeId === redis.nodeId);
    if (process.state !== 'running' || redis?.role !== 'master' || self === undefined) return [];
    keys += redis.keys;
    owned += countSlots(self.slots);
    return self.slots;
  });
  const isWhole = countSlots(normalizeRanges(ranges)) === SLOT_COUNT && owned === SLOT_COUNT;
  return isWhole ? keys : undefined;
}
