/**
 * Moves the keys of slots that are open on both ends: several slots at once, each over a connection of
 * its own, batch by batch. Whether a slot's keys may be moved, and what follows, is the slot machine's
 * business; what MIGRATE answers is understood here.
 */
import { setTimeout as delay } from 'node:timers/promises';
import {
  adaptBatch,
  RedroverError,
  restAfter,
  startBatch,
  startRate,
  takeRate,
  type BatchState,
  type MoveLimits,
  type MoveSlotsStep,
  type RateState,
} from '@redrover/core';
import { errorOfReply } from '../../redis/reply-codes.ts';
import type { Link } from '../link/link.ts';
import { encodeWithKeys } from '../link/resp-command.ts';
import { ReplyFault, type RawList, replyText } from '../link/resp-parser.ts';
import { KeyLister, type KeyBatch } from './list-keys.ts';
import type { Meter } from './meter.ts';
import type { MoveNodes } from './move-nodes.ts';
import type { ReplicaWatch } from './replica-watch.ts';
import { settleBusyKeys } from './settle-busy-keys.ts';
import type { SlotMemory } from './slot-memory.ts';

export interface KeyMoverOptions {
  readonly step: MoveSlotsStep;
  readonly password: string;
  readonly limits: MoveLimits;
  readonly nodes: MoveNodes;
  readonly meter: Meter;
  readonly watch: ReplicaWatch;
  /** Aborted: slots that have not begun are left alone. */
  readonly stop: AbortSignal;
}

/** Looking at so many names for a too large key blocks the source for a millisecond or two. */
const LOOK_AHEAD_KEYS = 1_000;

export class KeyMover {
  readonly #options: KeyMoverOptions;
  readonly #lister = new KeyLister();
  #links: Link[] = [];
  #batch: BatchState;
  #rate: RateState;
  /** When the source answered a MIGRATE last: what is answered later waited for it before. */
  #answeredTick = 0;
  /** The target did not answer the source: whatever is sent now may hold the source up as long. */
  #isHalted = false;

  constructor(options: KeyMoverOptions) {
    this.#options = options;
    this.#batch = startBatch(options.limits);
    this.#rate = startRate(performance.now());
  }

  /**
   * Moves what it can of the slots' keys; the next reading says what is left.
   *
   * @throws RedroverError for what concerns all slots: an end is out of memory, refuses the password, …
   */
  async move(slots: readonly SlotMemory[]): Promise<void> {
    const { limits, watch, stop } = this.#options;
    const isStopping = stop.aborted;
    const waiting = [...slots];
    const links = await this.#openLinks(Math.min(limits.slotsInFlight, slots.length));
    this.#isHalted = false;
    watch.begin();
    try {
      const work = links.map(async (link) => {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
          // Those that were asked for after the stop are half way, and brought to their end.
          if ((stop.aborted && !isStopping) || this.#isHalted) return;
          await this.#moveSlot(link, next);
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

  async #openLinks(count: number): Promise<Link[]> {
    this.#links = this.#links.filter((link) => link.isOpen);
    const missing = Math.max(0, count - this.#links.length);
    const more = Array.from({ length: missing }, () => this.#options.nodes.source.openLink());
    this.#links.push(...(await Promise.all(more)));
    return this.#links.slice(0, count);
  }

  /** Until the slot is empty as far as it was listed, or something is in the way. */
  async #moveSlot(link: Link, memory: SlotMemory): Promise<void> {
    const { limits } = this.#options;
    for (let keys = memory.doubt[0]; keys !== undefined; keys = memory.doubt[0]) {
      // The source is still the one to ask (MIGRATING): whatever the target got is replaced.
      const isSent = await this.#send(link, memory, { keys, bytes: 0 }, true);
      if (!isSent) return;
      // Not before it was answered: keys in doubt hold back the end of their slot.
      memory.doubt.shift();
    }
    for (;;) {
      const { batches, oversized } = await this.#lister.list(link, memory.slot, {
        keys: LOOK_AHEAD_KEYS,
        batchBytes: this.#batch.bytes,
        batchKeys: limits.batchKeysMax,
        maxKeyBytes: limits.maxKeyBytes,
      });
      if (oversized !== undefined) {
        memory.oversized = oversized;
        return;
      }
      for (const batch of batches) {
        if (this.#isHalted || !(await this.#send(link, memory, batch, false))) return;
      }
      const listed = batches.reduce((sum, { keys }) => sum + keys.count, 0);
      if (listed < LOOK_AHEAD_KEYS) return;
    }
  }

  /** False: the slot has to be looked at again before it goes on. */
  async #send(
    link: Link,
    memory: SlotMemory,
    batch: KeyBatch,
    isRepeat: boolean,
  ): Promise<boolean> {
    const { limits, meter, watch } = this.#options;
    await this.#awaitTurn(batch);
    const { reply, blockedMs } = await this.#migrate(link, batch.keys, isRepeat).catch(
      (thrown: unknown) => {
        // Nobody knows what the target got.
        if (!isRepeat) memory.doubt.push(batch.keys);
        throw thrown;
      },
    );
    watch.noteSent(batch.bytes);
    meter.blocked(Math.max(blockedMs, watch.targetBlockedMs));
    if (!(reply instanceof ReplyFault)) {
      // NOKEY: all of them had expired, or were deleted.
      if (replyText(reply) === 'OK') meter.moved(batch.keys.count, batch.bytes);
      const worst = Math.max(blockedMs, watch.targetBlockedMs);
      this.#batch = adaptBatch(this.#batch, limits, { blockedMs: worst, bytes: batch.bytes });
      const restMs = restAfter(limits, blockedMs);
      if (restMs >= 1) await delay(restMs);
      return true;
    }
    return this.#understand(link, memory, { ...batch, isRepeat }, reply);
  }

  async #migrate(link: Link, keys: RawList, isRepeat: boolean) {
    const { step, password, limits } = this.#options;
    const { address, port } = step.target;
    const replace = isRepeat ? ['REPLACE'] : [];
    const auth = password === '' ? [] : ['AUTH', password];
    // A target that hangs lets each of those in flight wait for so long, one after another.
    const timeoutMs = Math.max(
      MIGRATE_TIMEOUT_MIN_MS,
      Math.floor(limits.migrateTimeoutMs / limits.slotsInFlight),
    );
    const head = ['MIGRATE', address, port, '', 0, timeoutMs, ...replace, ...auth];
    const command = encodeWithKeys([...head, 'KEYS'], keys);
    const sentTick = performance.now();
    const [reply] = await link.exchange({
      commands: [command],
      what: 'MIGRATE',
      timeoutMs: limits.commandTimeoutMs,
    });
    const answeredTick = performance.now();
    const blockedMs = answeredTick - Math.max(sentTick, this.#answeredTick);
    this.#answeredTick = answeredTick;
    return { reply: reply ?? null, blockedMs };
  }

  async #understand(
    link: Link,
    memory: SlotMemory,
    { keys, isRepeat }: KeyBatch & { readonly isRepeat: boolean },
    fault: ReplyFault,
  ): Promise<boolean> {
    const { nodes, meter } = this.#options;
    const inner = codeOfTarget(fault);
    switch (inner ?? fault.code) {
      case 'IOERR':
        // The target may have got some of them; until it says so, they are in doubt.
        if (!isRepeat) memory.doubt.push(keys);
        this.#isHalted = true;
        return false;
      case 'BUSYKEY': {
        const conflict = await settleBusyKeys({ source: link, target: nodes.target, keys, memory });
        if (conflict !== undefined) memory.conflict = conflict;
        return false;
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
        return false;
      default: {
        const at = inner === undefined ? link.key : nodes.target.end.node;
        const text = inner === undefined ? fault.message : textOfTarget(fault);
        throw errorOfReply(text, `moving keys of slot ${memory.slot}: ${at} refuses them`);
      }
    }
  }

  /** Until the rate allows it and the target's replicas are near enough. */
  async #awaitTurn({ bytes }: KeyBatch): Promise<void> {
    const { limits, watch, meter, nodes } = this.#options;
    const turn = takeRate(this.#rate, limits, { nowMs: performance.now(), bytes });
    this.#rate = turn.state;
    if (turn.waitMs > 0) {
      meter.state = 'held back by --rate';
      // A slot that has begun is brought to its end at the rate that was asked for.
      await delay(turn.waitMs);
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

/** A target that is busy with others for less than this is not given up. */
const MIGRATE_TIMEOUT_MIN_MS = 100;

/** Longer than a full sync of a replica that lost its place would hold, shorter than people would wait. */
const LAG_PATIENCE_MS = 30_000;

/** `-ERR Target instance replied with error: CODE …`: what the target said travels within the reply. */
const FROM_TARGET = 'ERR Target instance replied with error: ';

function textOfTarget({ message }: ReplyFault): string {
  return message.slice(FROM_TARGET.length).replace(/^-/, '');
}

function codeOfTarget(fault: ReplyFault): string | undefined {
  if (!fault.message.startsWith(FROM_TARGET)) return undefined;
  return textOfTarget(fault).split(' ', 1)[0];
}
