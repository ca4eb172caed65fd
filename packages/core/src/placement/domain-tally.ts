/**
 * Counts masters by domain, and what the worst domain would hold after the loss of any other, while
 * shards come and go: O(domains) for each, so that a search can afford it at every turn.
 */

export class DomainTally {
  /** Masters by domain. */
  readonly masters: Int32Array;
  /** Σ max(0, masters − limit) over the domains. */
  excess = 0;
  /** Σ masters² over the domains. */
  squares = 0;

  readonly #count: number;
  readonly #limit: number;
  /** At [lost × count + other]: shards with their master in `lost` and a replica in `other`. */
  readonly #promotions: Int32Array;
  /** How many ordered pairs (lost, other) leave that many masters in `other`. */
  readonly #histogram: Int32Array;
  /** No entry of the histogram above it. */
  #top = 0;

  constructor(options: { domainCount: number; shardCount: number; masterLimit: number }) {
    const { domainCount, shardCount, masterLimit } = options;
    this.#count = domainCount;
    this.#limit = masterLimit;
    this.masters = new Int32Array(domainCount);
    this.#promotions = new Int32Array(domainCount * domainCount);
    this.#histogram = new Int32Array(shardCount + 2);
    this.#histogram[0] = domainCount * (domainCount - 1);
  }

  /** How many masters the pair (lost, other) leaves in `other`. */
  afterLoss(lost: number, other: number): number {
    return at(this.masters, other) + at(this.#promotions, lost * this.#count + other);
  }

  /** The most masters that any domain may hold after the loss of any other one. */
  worstAfterLoss(): number {
    if (this.#count < 2) return at(this.masters, 0);
    while (this.#top > 0 && this.#histogram[this.#top] === 0) this.#top -= 1;
    return this.#top;
  }

  /** `sign` is 1 for a shard that comes, −1 for one that goes. `others` are its other domains. */
  count(master: number, others: readonly number[], sign: 1 | -1): void {
    const before = at(this.masters, master);
    const after = before + sign;
    for (let lost = 0; lost < this.#count; lost += 1) {
      if (lost !== master) this.#shift(this.afterLoss(lost, master), sign);
    }
    this.masters[master] = after;
    this.squares += after * after - before * before;
    this.excess += Math.max(0, after - this.#limit) - Math.max(0, before - this.#limit);
    for (const other of others) {
      this.#shift(this.afterLoss(master, other), sign);
      const pair = master * this.#count + other;
      this.#promotions[pair] = at(this.#promotions, pair) + sign;
    }
  }

  #shift(level: number, sign: 1 | -1): void {
    this.#histogram[level] = at(this.#histogram, level) - 1;
    this.#histogram[level + sign] = at(this.#histogram, level + sign) + 1;
    if (level + sign > this.#top) this.#top = level + sign;
  }
}

function at(numbers: Int32Array, index: number): number {
  return numbers[index] ?? 0;
}
