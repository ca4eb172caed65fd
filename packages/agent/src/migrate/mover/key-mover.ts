/**
 * Moves the keys of slots that are open on both ends: several slots at once, each over a connection of
 * its own, batch by batch. Whether a slot's keys may be moved, and what follows, is the slot machine's
 * business; what MIGRATE answers is understood here.
 */
import { setTimeout as delay } from 'node:timers/promises';
import {
  adaptBatch,
  judgeBusyKey,
  RedroverError,
  startBatch,
  startRate,
  takeRate,
  type BatchLimits,
  type BatchState,
  type MoveLimits,
  type MoveSlotsStep,
  type RateState,
  type SourceLife,
} from '@redrover/core';
import { errorOfReply } from '../../redis/reply-codes.ts';
import type { Link } from '../link/link.ts';
import { ReplyFault, replyText } from '../link/resp-parser.ts';
import { KeyLister, type KeyListing } from './list-keys.ts';
import type { Meter } from './meter.ts';
import type { MoveNodes } from './move-nodes.ts';
import type { Pace } from './pace.ts';
import type { ReplicaWatch } from './replica-watch.ts';
import {
  codeOfTarget,
  migrateCommand,
  SLOTS_PER_WRITE,
  takeTogether,
  textOfTarget,
  type SentBatch,
} from './sent-batch.ts';
import { settleBusyKeys } from './settle-busy-keys.ts';
import type { SlotMemory } from './slot-memory.ts';
import { readSourceLife } from './source-life.ts';

export interface KeyMoverOptions {
  readonly step: MoveSlotsStep;
  readonly password: string;
  readonly limits: MoveLimits;
  readonly nodes: MoveNodes;
  readonly meter: Meter;
  readonly watch: ReplicaWatch;
  readonly pace: Pace;
  /** Aborted: slots that have not begun are left alone. */
  readonly stop: AbortSignal;
}

/** Looking at so many names for a too large key blocks the source for a millisecond or two, or for some tenths of one. */
const LOOK_AHEAD_KEYS = { idle: 1_000, heldBack: 200 };

export class KeyMover {
  readonly #options: KeyMoverOptions;
  readonly #lister = new KeyLister();
  #links: Link[] = [];
  /** Of the source, when each link was made: not younger than what is sent over it. */
  readonly #lives = new WeakMap<Link, SourceLife | undefined>();
  /** Of the bound that holds now. */
  #batch: BatchState;
  #batchLimits: BatchLimits;
  #rate: RateState;
  /** When the source answered a MIGRATE last: what is answered later waited for it before. */
  #answeredTick = 0;
  /** The target did not answer the source: whatever is sent now may hold the source up as long. */
  #isHalted = false;
  /** Before these slots were asked for: they are half way, and brought to their end. */
  #wasStopped = false;

  constructor(options: KeyMoverOptions) {
    this.#options = options;
    this.#batchLimits = options.pace.batchLimits;
    this.#batch = startBatch(this.#batchLimits);
    this.#rate = startRate(performance.now());
  }

  /**
   * Moves what it can of the slots' keys; the next reading says what is left.
   *
   * @throws RedroverError for what concerns all slots: an end is out of memory, refuses the password, …
   */
  async move(slots: readonly SlotMemory[]): Promise<void> {
    const { limits, watch, stop } = this.#options;
    this.#wasStopped = stop.aborted;
    const waiting = [...slots];
    const linkCount = Math.min(limits.slotsInFlight, slots.length) / SLOTS_PER_WRITE;
    const links = await this.#openLinks(Math.ceil(linkCount));
    this.#isHalted = false;
    watch.begin();
    try {
      const work = links.map(async (link) => {
        while (waiting.length > 0) {
          if (this.#shallEnd) return;
          await this.#moveSlots(link, waiting.splice(0, SLOTS_PER_WRITE));
        }
      });
      // All of them to their end: nothing is in flight when this returns.
      const failed = (await Promise.allSettled(work)).find(({ status }) => status === 'rejected');
      if (failed?.status === 'rejected') throw failed.reason;
    } finally {
      watch.end();
    }
  }

  close(): void {
    for (const link of this.#links) link.close();
  }

  /** Slots of which nothing was sent are left alone, the others are asked for once more. */
  get #shallEnd(): boolean {
    return this.#isHalted || (this.#options.stop.aborted && !this.#wasStopped);
  }

  async #openLinks(count: number): Promise<Link[]> {
    this.#links = this.#links.filter((link) => link.isOpen);
    const missing = Math.max(0, count - this.#links.length);
    const more = Array.from({ length: missing }, () => this.#options.nodes.source.openLink());
    const opened = await Promise.all(more);
    this.#links.push(...opened);
    await Promise.all(
      opened.map(async (link) => this.#lives.set(link, await readSourceLife(link))),
    );
    return this.#links.slice(0, count);
  }

  /** Until they are empty as far as they were listed, or something is in the way. */
  async #moveSlots(link: Link, memories: readonly SlotMemory[]): Promise<void> {
    const settled: SlotMemory[] = [];
    for (const memory of memories) {
      if (await this.#resendDoubts(link, memory)) settled.push(memory);
    }
    let next = settled;
    while (next.length > 0 && !this.#shallEnd) next = await this.#moveListed(link, next);
  }

  /** False: the slot has to be looked at again before it goes on. */
  async #resendDoubts(link: Link, memory: SlotMemory): Promise<boolean> {
    for (let doubt = memory.doubt[0]; doubt !== undefined; doubt = memory.doubt[0]) {
      const { keys, life } = doubt;
      const mayReplace = judgeBusyKey(life, await readSourceLife(link)) === 'replace';
      const isSent = await this.#send(link, [{ keys, bytes: 0, memory, doubt, mayReplace }]);
      if (isSent.size > 0) return false;
      // Not before it was answered: keys in doubt hold back the end of their slot.
      memory.doubt.shift();
    }
    return true;
  }

  /** Answers the slots that may have more keys. */
  async #moveListed(link: Link, memories: readonly SlotMemory[]): Promise<SlotMemory[]> {
    const { pace } = this.#options;
    const keys = LOOK_AHEAD_KEYS[pace.isHeldBack ? 'heldBack' : 'idle'];
    const listings = await this.#list(link, memories, keys);
    const unsettled = new Set<SlotMemory>();
    const more: SlotMemory[] = [];
    const batches: SentBatch[] = [];
    for (const [index, memory] of memories.entries()) {
      const { batches: own = [], oversized } = listings[index] ?? {};
      memory.oversized = oversized;
      // It stays where it is, as a whole.
      if (oversized !== undefined) continue;
      batches.push(...own.map((batch) => ({ ...batch, memory })));
      const listed = own.reduce((sum, { keys: { count } }) => sum + count, 0);
      if (listed >= keys) more.push(memory);
    }
    for (let at = 0; at < batches.length && !this.#shallEnd;) {
      const together = takeTogether(batches.slice(at, at + SLOTS_PER_WRITE), this.#batch.bytes);
      at += together.length;
      const sent = together.filter(({ memory }) => !unsettled.has(memory));
      if (sent.length === 0) continue;
      for (const memory of await this.#send(link, sent)) unsettled.add(memory);
    }
    return more.filter((memory) => !unsettled.has(memory));
  }

  #list(link: Link, memories: readonly SlotMemory[], keys: number): Promise<KeyListing[]> {
    const { pace, limits } = this.#options;
    this.#followPace();
    const { batchKeysMax } = this.#batchLimits;
    const { maxKeyBytes } = limits;
    const of = { keys, batchBytes: this.#batch.bytes, batchKeys: batchKeysMax, maxKeyBytes };
    const slots = memories.map(({ slot }) => slot);
    return pace.block(() => this.#lister.list(link, slots, of));
  }

  /** Another bound begins with batches of its own. */
  #followPace(): void {
    const { batchLimits } = this.#options.pace;
    if (batchLimits === this.#batchLimits) return;
    this.#batchLimits = batchLimits;
    this.#batch = startBatch(batchLimits);
  }

  /** Answers the slots that have to be looked at again before they go on. */
  async #send(link: Link, batches: readonly SentBatch[]): Promise<ReadonlySet<SlotMemory>> {
    const { meter, watch, pace } = this.#options;
    const bytes = batches.reduce((sum, batch) => sum + batch.bytes, 0);
    const answer = await pace.block(
      // While others had their turn, the target may have fallen silent, or all of it was called off.
      async () => (this.#shallEnd ? undefined : this.#migrate(link, batches)),
      () => this.#awaitTurn(bytes),
    );
    if (answer === undefined) return new Set(batches.map(({ memory }) => memory));
    const { replies, blockedMs } = answer;
    watch.noteSent(bytes);
    const worst = Math.max(blockedMs, watch.targetBlockedMs);
    meter.blocked(worst);
    const faults: [SentBatch, ReplyFault][] = [];
    for (const [index, batch] of batches.entries()) {
      const reply = replies[index] ?? null;
      if (reply instanceof ReplyFault) faults.push([batch, reply]);
      // NOKEY: all of them had expired, or were deleted.
      else if (replyText(reply) === 'OK') meter.moved(batch.keys.count, batch.bytes);
    }
    if (faults.length === 0) {
      this.#batch = adaptBatch(this.#batch, this.#batchLimits, { blockedMs: worst, bytes });
    }
    return this.#understandAll(link, faults);
  }

  /** Nobody knows what the target got. */
  #doubt(link: Link, { keys, doubt, memory }: SentBatch): void {
    if (doubt === undefined) memory.doubt.push({ keys, life: this.#lives.get(link) });
  }

  async #migrate(link: Link, batches: readonly SentBatch[]) {
    const { limits } = this.#options;
    const { step, password } = this.#options;
    const to = { target: step.target, password, limits };
    const commands = batches.map((batch) => migrateCommand(batch, to));
    const sentTick = performance.now();
    const replies = await link
      .exchange({ commands, what: 'MIGRATE', timeoutMs: limits.commandTimeoutMs })
      .catch((thrown: unknown) => {
        for (const batch of batches) this.#doubt(link, batch);
        throw thrown;
      });
    const answeredTick = performance.now();
    const blockedMs = answeredTick - Math.max(sentTick, this.#answeredTick);
    this.#answeredTick = answeredTick;
    return { replies, blockedMs };
  }

  async #understandAll(
    link: Link,
    faults: readonly (readonly [SentBatch, ReplyFault])[],
  ): Promise<ReadonlySet<SlotMemory>> {
    // First what must not be forgotten, whatever comes of the others.
    for (const [batch, { code }] of faults) {
      if (code !== 'IOERR') continue;
      this.#doubt(link, batch);
      this.#isHalted = true;
    }
    for (const [batch, fault] of faults) await this.#understand(link, batch, fault);
    return new Set(faults.map(([{ memory }]) => memory));
  }

  async #understand(link: Link, batch: SentBatch, fault: ReplyFault): Promise<void> {
    const { nodes, meter } = this.#options;
    const { memory } = batch;
    const inner = codeOfTarget(fault);
    switch (inner ?? fault.code) {
      case 'IOERR':
        return;
      case 'BUSYKEY': {
        const { keys, doubt } = batch;
        const settled = await settleBusyKeys({ source: link, target: nodes.target, keys });
        if (doubt !== undefined) memory.doubt.splice(memory.doubt.indexOf(doubt), 1);
        if (settled.equal !== undefined) memory.doubt.push(settled.equal);
        memory.conflict ??= settled.conflict;
        return;
      }
      case 'MOVED':
      case 'ASK':
      case 'TRYAGAIN':
      case 'CLUSTERDOWN':
      case 'LOADING':
      case 'MASTERDOWN':
      case 'READONLY':
      case 'BUSY':
        // Roles or owners have changed, or will in a moment: everybody is asked again.
        meter.state = `waiting: ${fault.message}`;
        return;
      default: {
        const at = inner === undefined ? link.key : nodes.target.end.node;
        const text = inner === undefined ? fault.message : textOfTarget(fault);
        throw errorOfReply(text, `moving keys of slot ${memory.slot}: ${at} refuses them`);
      }
    }
  }

  /** Until the rate allows it and the target's replicas are near enough. */
  async #awaitTurn(bytes: number): Promise<void> {
    const { limits, watch, meter, nodes } = this.#options;
    const turn = takeRate(this.#rate, limits, { nowMs: performance.now(), bytes });
    this.#rate = turn.state;
    if (turn.waitMs > 0) {
      meter.state = 'held back by --rate';
      // A slot that has begun is brought to its end at the rate that was asked for, one that has not is let go of.
      const signal = this.#wasStopped ? undefined : this.#options.stop;
      await delay(turn.waitMs, undefined, { signal }).catch(() => {});
      if (this.#shallEnd) {
        this.#rate = { ...this.#rate, tokensBytes: this.#rate.tokensBytes + bytes };
        return;
      }
    }
    const sinceTick = performance.now();
    while (!watch.isNear) {
      meter.state = `waiting for a replica of ${nodes.target.end.node} to catch up`;
      if (performance.now() - sinceTick > LAG_PATIENCE_MS) {
        throw new RedroverError(
          'unavailable',
          `no replica of ${nodes.target.end.node} came near it in ${LAG_PATIENCE_MS / 1000} s, so ` +
            'it was given no more keys; see that its replicas are up and in sync',
        );
      }
      await watch.wait();
    }
    meter.state = '';
  }
}

/** Longer than a full sync of a replica that lost its place would hold, shorter than people would wait. */
const LAG_PATIENCE_MS = 30_000;
