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
  restAfter,
  startBatch,
  startRate,
  takeRate,
  type BatchState,
  type MoveLimits,
  type MoveSlotsStep,
  type RateState,
  type SourceLife,
} from '@redrover/core';
import { errorOfReply } from '../../redis/reply-codes.ts';
import type { Link } from '../link/link.ts';
import { encodeWithKeys } from '../link/resp-command.ts';
import { ReplyFault, replyText } from '../link/resp-parser.ts';
import { KeyLister, type KeyBatch } from './list-keys.ts';
import type { Meter } from './meter.ts';
import type { MoveNodes } from './move-nodes.ts';
import type { ReplicaWatch } from './replica-watch.ts';
import { settleBusyKeys } from './settle-busy-keys.ts';
import type { DoubtfulKeys, SlotMemory } from './slot-memory.ts';
import { readSourceLife } from './source-life.ts';

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

interface SentBatch extends KeyBatch {
  /** Keys that were sent before. */
  readonly doubt?: DoubtfulKeys;
  /** Whether the source's copy counts, whatever the target has. */
  readonly mayReplace?: boolean;
}

/** Looking at so many names for a too large key blocks the source for a millisecond or two. */
const LOOK_AHEAD_KEYS = 1_000;

export class KeyMover {
  readonly #options: KeyMoverOptions;
  readonly #lister = new KeyLister();
  #links: Link[] = [];
  /** Of the source, when each link was made: not younger than what is sent over it. */
  readonly #lives = new WeakMap<Link, SourceLife | undefined>();
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
    const opened = await Promise.all(more);
    this.#links.push(...opened);
    await Promise.all(
      opened.map(async (link) => this.#lives.set(link, await readSourceLife(link))),
    );
    return this.#links.slice(0, count);
  }

  /** Until the slot is empty as far as it was listed, or something is in the way. */
  async #moveSlot(link: Link, memory: SlotMemory): Promise<void> {
    const { limits } = this.#options;
    for (let doubt = memory.doubt[0]; doubt !== undefined; doubt = memory.doubt[0]) {
      const { keys, life } = doubt;
      const mayReplace = judgeBusyKey(life, await readSourceLife(link)) === 'replace';
      const isSent = await this.#send(link, memory, { keys, bytes: 0, doubt, mayReplace });
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
        if (this.#isHalted || !(await this.#send(link, memory, batch))) return;
      }
      const listed = batches.reduce((sum, { keys }) => sum + keys.count, 0);
      if (listed < LOOK_AHEAD_KEYS) return;
    }
  }

  /** False: the slot has to be looked at again before it goes on. */
  async #send(link: Link, memory: SlotMemory, batch: SentBatch): Promise<boolean> {
    const { limits, meter, watch } = this.#options;
    await this.#awaitTurn(batch);
    const { reply, blockedMs } = await this.#migrate(link, batch).catch((thrown: unknown) => {
      this.#doubt(link, memory, batch);
      throw thrown;
    });
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
    return this.#understand(link, memory, batch, reply);
  }

  /** Nobody knows what the target got. */
  #doubt(link: Link, memory: SlotMemory, { keys, doubt }: SentBatch): void {
    if (doubt === undefined) memory.doubt.push({ keys, life: this.#lives.get(link) });
  }

  async #migrate(link: Link, { keys, mayReplace = false }: SentBatch) {
    const { step, password, limits } = this.#options;
    const { address, port } = step.target;
    const replace = mayReplace ? ['REPLACE'] : [];
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
    batch: SentBatch,
    fault: ReplyFault,
  ): Promise<boolean> {
    const { nodes, meter } = this.#options;
    const inner = codeOfTarget(fault);
    switch (inner ?? fault.code) {
      case 'IOERR':
        this.#doubt(link, memory, batch);
        this.#isHalted = true;
        return false;
      case 'BUSYKEY': {
        const { keys, doubt } = batch;
        const settled = await settleBusyKeys({ source: link, target: nodes.target, keys });
        if (doubt !== undefined) memory.doubt.splice(memory.doubt.indexOf(doubt), 1);
        if (settled.equal !== undefined) memory.doubt.push(settled.equal);
        memory.conflict ??= settled.conflict;
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
