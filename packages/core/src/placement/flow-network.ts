/** A directed network that is filled unit by unit along augmenting paths. */

interface Arc {
  readonly to: number;
  /** What can still flow along it. */
  room: number;
  /** Index of the opposite arc, along which flow is taken back. */
  readonly opposite: number;
}

export class FlowNetwork {
  readonly #arcs: Arc[] = [];
  readonly #outgoing: number[][];

  constructor(vertexCount: number) {
    this.#outgoing = Array.from({ length: vertexCount }, () => []);
  }

  /** Returns the arc's name for `flowOf`. */
  addArc(from: number, to: number, capacity: number): number {
    const arc = this.#arcs.length;
    this.#arcs.push({ to, room: capacity, opposite: arc + 1 });
    this.#arcs.push({ to: from, room: 0, opposite: arc });
    this.#outgoing[from]?.push(arc);
    this.#outgoing[to]?.push(arc + 1);
    return arc;
  }

  flowOf(arc: number): number {
    return this.#arcs[arc + 1]?.room ?? 0;
  }

  /**
   * Brings one more unit from source to target, rerouting what flows already but never taking any
   * away from where it ended; false when there is no way, and then there never will be again.
   */
  pushUnit(source: number, target: number): boolean {
    const reachedBy = this.#findPath(source, target);
    if (reachedBy === undefined) return false;
    for (let vertex = target; vertex !== source;) {
      const arc = this.#arcs[reachedBy[vertex] ?? -1];
      const opposite = arc === undefined ? undefined : this.#arcs[arc.opposite];
      if (arc === undefined || opposite === undefined) return false;
      arc.room -= 1;
      opposite.room += 1;
      vertex = opposite.to;
    }
    return true;
  }

  /** Breadth first: the arc by which each vertex was reached. */
  #findPath(source: number, target: number): Int32Array | undefined {
    const reachedBy = new Int32Array(this.#outgoing.length).fill(-1);
    const queue = [source];
    for (let head = 0; head < queue.length; head += 1) {
      for (const index of this.#outgoing[queue[head] ?? 0] ?? []) {
        const arc = this.#arcs[index];
        if (arc === undefined || arc.room <= 0 || arc.to === source) continue;
        if (reachedBy[arc.to] !== -1) continue;
        reachedBy[arc.to] = index;
        if (arc.to === target) return reachedBy;
        queue.push(arc.to);
      }
    }
    return undefined;
  }
}
