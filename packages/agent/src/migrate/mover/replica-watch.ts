/**
 * How much of what the target was given its replicas do not have yet: what is lost if it dies now, as
 * Redis replicates asynchronously. Asked of the replicas themselves: what the master knows of them is up
 * to a second old (REPLCONF ACK).
 */
import type { MoveNodes, MoveNode } from './move-nodes.ts';
import { readRole } from './move-nodes.ts';
import { encode } from '../link/resp-command.ts';
import type { Meter } from './meter.ts';

/** Often enough for a batch or two in between, seldom enough to cost nothing. */
const POLL_MS = 25;
/** While a batch waits for it; not at full speed, as a replica that is down refuses at once. */
const POLL_WAITING_MS = 4;
/** So that a hung node does not look like one without lag. */
const ASK_TIMEOUT_MS = 3_000;
/** Round trips are noisy where a machine is busy: only what three in a row took is taken for blocking. */
const ROUND_TRIPS = 3;

const ROLE = encode('ROLE');

export class ReplicaWatch {
  readonly #nodes: MoveNodes;
  readonly #meter: Meter;
  readonly #maxLagBytes: number;
  #timer: NodeJS.Timeout | undefined;
  #isAsking = false;
  #lagBytes = 0;
  /** Sent since the last answer: not in its lag yet. */
  #sentBytes = 0;
  #waiting: (() => void)[] = [];
  readonly #roundTripsMs: number[] = [];
  #confirmedKeys = 0;
  #confirmedBytes = 0;

  constructor(nodes: MoveNodes, meter: Meter, maxLagBytes: number) {
    this.#nodes = nodes;
    this.#meter = meter;
    this.#maxLagBytes = maxLagBytes;
  }

  /** Keys that the target has acknowledged and that no replica is known to have. */
  get unreplicated(): { readonly keys: number; readonly bytes: number } {
    if (this.#nodes.targetReplicas.length === 0) return { keys: 0, bytes: 0 };
    const { keys, bytes } = this.#meter;
    return { keys: keys - this.#confirmedKeys, bytes: bytes - this.#confirmedBytes };
  }

  /** How long the target let the last questions wait at least. */
  get targetBlockedMs(): number {
    return this.#roundTripsMs.length < ROUND_TRIPS ? 0 : Math.min(...this.#roundTripsMs);
  }

  /** While keys are moved. */
  begin(): void {
    this.#timer ??= setInterval(() => {
      if (!this.#isAtRest) void this.#ask();
    }, POLL_MS);
    void this.#ask();
  }

  end(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#release();
  }

  /** Whether a batch may go now; else `wait` first. */
  get isNear(): boolean {
    if (this.#nodes.targetReplicas.length === 0) return true;
    return this.#lagBytes + this.#sentBytes <= this.#maxLagBytes;
  }

  /** Nothing was sent that the last answer had not confirmed. */
  get #isAtRest(): boolean {
    return this.#lagBytes === 0 && this.#sentBytes === 0 && this.#roundTripsMs.length > 0;
  }

  noteSent(bytes: number): void {
    this.#sentBytes += bytes;
  }

  /** Resolves with the next answer, which is asked for soon, or when the watch ends. */
  wait(): Promise<void> {
    if (this.#timer === undefined) return Promise.resolve();
    setTimeout(() => {
      if (this.#timer !== undefined) void this.#ask();
    }, POLL_WAITING_MS);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async #ask(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      const { keys, bytes } = this.#meter;
      const sentBefore = this.#sentBytes;
      const startTick = performance.now();
      const offset = await askOffset(this.#nodes.target);
      this.#noteRoundTrip(performance.now() - startTick);
      const replicas = await Promise.all(
        this.#nodes.targetReplicas.map((node) => askOffset(node).catch(() => -1)),
      );
      const best = Math.max(-1, ...replicas);
      this.#lagBytes = best < 0 ? Infinity : Math.max(0, offset - best);
      this.#sentBytes -= sentBefore;
      if (this.#lagBytes === 0) [this.#confirmedKeys, this.#confirmedBytes] = [keys, bytes];
    } catch {
      // The target does not answer: the reading of all nodes will say so.
      this.#lagBytes = Infinity;
    } finally {
      this.#isAsking = false;
      this.#release();
    }
  }

  #noteRoundTrip(ms: number): void {
    this.#roundTripsMs.push(ms);
    if (this.#roundTripsMs.length > ROUND_TRIPS) this.#roundTripsMs.shift();
  }

  #release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

async function askOffset(node: MoveNode): Promise<number> {
  const reply = await (await node.link()).call('ROLE', ROLE, ASK_TIMEOUT_MS);
  if (!Array.isArray(reply)) return -1;
  return readRole(reply).offsetBytes;
}
