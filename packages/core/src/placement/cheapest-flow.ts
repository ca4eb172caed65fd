/**
 * A directed network whose arcs cost: filled unit by unit, each along a cheapest way that is left.
 */

interface Arc {
  readonly from: number;
  readonly to: number;
  readonly cost: number;
  /** What can still flow along it. */
  room: number;
}

export class CheapestFlow {
  /**
   * An arc and its opposite, along which flow is taken back, are neighbours: 0 and 1, 2 and 3, …
   */
  readonly #arcs: Arc[] = [];
  readonly #outgoing: number[][];

  constructor(vertexCount: number) {
    this.#outgoing = Array.from({ length: vertexCount }, () => []);
  }

  /** Returns the arc's name for `flowOf`; the cost is that of one unit. */
  addArc(from: number, to: number, { room, cost }: { room: number; cost: number }): number {
    const arc = this.#arcs.length;
    this.#arcs.push({ from, to, cost, room }, { from: to, to: from, cost: -cost, room: 0 });
    this.#outgoing[from]?.push(arc);
    this.#outgoing[to]?.push(arc + 1);
    return arc;
  }

  flowOf(arc: number): number {
    return this.#arcs[arc + 1]?.room ?? 0;
  }

  /**
   * One more unit from source to target; false when there is no way left. As every unit takes a
   * cheapest way, what flows at any time is a cheapest flow of that many units.
   */
  pushUnit(source: number, target: number): boolean {
    const reachedBy = this.#findCheapest(source);
    if (reachedBy[target] === undefined) return false;
    for (let vertex = target; vertex !== source;) {
      const index = reachedBy[vertex] ?? -1;
      const arc = this.#arcs[index];
      const opposite = this.#arcs[index ^ 1];
      if (arc === undefined || opposite === undefined) return false;
      arc.room -= 1;
      opposite.room += 1;
      vertex = arc.from;
    }
    return true;
  }

  /** Bellman and Ford, with a queue: opposite arcs have negative costs, but no cycle has. */
  #findCheapest(source: number): (number | undefined)[] {
    const costs = this.#outgoing.map(() => Number.POSITIVE_INFINITY);
    const reachedBy: (number | undefined)[] = this.#outgoing.map(() => undefined);
    const queue = [source];
    const queued = new Set(queue);
    costs[source] = 0;
    for (let head = 0; head < queue.length; head += 1) {
      const vertex = queue[head] ?? 0;
      queued.delete(vertex);
      for (const index of this.#outgoing[vertex] ?? []) {
        const arc = this.#arcs[index];
        if (arc === undefined || arc.room <= 0) continue;
        const cost = (costs[vertex] ?? 0) + arc.cost;
        if (cost >= (costs[arc.to] ?? 0)) continue;
        costs[arc.to] = cost;
        reachedBy[arc.to] = index;
        if (queued.has(arc.to)) continue;
        queue.push(arc.to);
        queued.add(arc.to);
      }
    }
    return reachedBy;
  }
}
