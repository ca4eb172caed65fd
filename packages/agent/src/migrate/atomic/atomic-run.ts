/**
 * One task of an atomic engine, from reading who owns its slots to seeing that everybody knows the new
 * owner. Whatever has happened before (another agent, a lost connection, a migration that may have
 * succeeded), each turn begins with the owners and the servers' own tasks, and goes on from there.
 */
import { listSlots, rangesOf, RedroverError, type MoveSlotsStep } from '@redrover/core';
import { copyFunctions } from '../copy-functions.ts';
import type { Link } from '../link/link.ts';
import type { MoveControls } from '../move-driver.ts';
import type { MoveEnding, MoveOutcome, MoveTask } from '../move-task.ts';
import type { MoveNodes } from '../mover/move-nodes.ts';
import { failureOf } from '../outcomes.ts';
import type { AtomicProtocol } from './atomic-protocol.ts';
import { callOff } from './call-off.ts';
import { describeSlots } from './describe-slots.ts';
import { EndReader } from './end-reader.ts';
import { onLink, TaskFollower } from './follow-task.ts';
import { measureSlots, requireHeadroom, type SlotLoad } from './load.ts';
import { findOwnTask } from './running-tasks.ts';
import { MoveTally } from './move-tally.ts';
import type { OutputBuffers } from './output-buffers.ts';
import { ownershipOf, type EndReadings, type Ownership } from './ownership.ts';
import { pause, pollMs } from './pace.ts';
import { requireReady } from './ready.ts';
import { settle } from './settle.ts';
import { SourceRoom } from './source-room.ts';
import { TaskMemo } from './task-memo.ts';

export interface AtomicParts {
  readonly protocol: AtomicProtocol;
  readonly buffers: OutputBuffers;
  readonly nodes: MoveNodes;
  readonly task: MoveTask;
  readonly controls: MoveControls;
}

/**
 * All that one task of the servers moves can be lost to a cancel, and is held twice for its duration: a
 * stop should cost no more than this.
 */
const BATCH_BYTES = 1024 ** 3;
/** Slower than any network that carries a cluster. */
const WORST_BYTES_PER_S = 2 * 1024 ** 2;
const LEAST_DEADLINE_MS = 60_000;
/** Beyond a node timeout: a server that restarts loads its data first. */
const SILENCE_MARGIN_MS = 10_000;
/** Somebody else may cancel all migrations of a node; once more is no harm, for ever is. */
const MAX_CANCELLED = 3;

export class AtomicRun {
  readonly #parts: AtomicParts;
  readonly #step: MoveSlotsStep;
  readonly #slots: readonly number[];
  readonly #tally: MoveTally;
  readonly #silenceMs: number;
  readonly #ends: EndReader;
  readonly #memo: TaskMemo;
  readonly #room: SourceRoom;
  readonly #loads = new Map<number, SlotLoad>();
  readonly #moved = new Set<number>();
  /** At the target before the task began; undefined until it was read. */
  #before: ReadonlySet<number> | undefined;
  #cancelled = 0;

  constructor(parts: AtomicParts) {
    this.#parts = parts;
    this.#step = parts.task.step;
    this.#slots = listSlots(this.#step.slots);
    this.#tally = new MoveTally(this.#step);
    this.#memo = new TaskMemo(parts.controls);
    this.#room = new SourceRoom({ ...parts, memo: this.#memo });
    this.#silenceMs = this.#step.nodeTimeoutMs + SILENCE_MARGIN_MS;
    this.#ends = new EndReader({ ...parts, step: this.#step, silenceMs: this.#silenceMs });
  }

  /** Rejects only when the agent ends. */
  async run(): Promise<MoveOutcome> {
    const { detach } = this.#parts.controls;
    try {
      this.#room.adopt();
      const ending = await this.#work();
      if (ending === 'stopped') await this.#callOff();
      return this.#outcome(ending, undefined);
    } catch (thrown) {
      detach.throwIfAborted();
      return await this.#giveUp(thrown);
    } finally {
      if (!detach.aborted) await this.#room.putBack();
    }
  }

  /** Whoever was told to stop has stopped once nothing goes on, whatever was in the way of that. */
  async #giveUp(thrown: unknown): Promise<MoveOutcome> {
    const { stop, detach } = this.#parts.controls;
    const wasTold = stop.aborted;
    await this.#callOff();
    try {
      if (wasTold) return this.#outcome(await this.#work(), undefined);
    } catch (again) {
      detach.throwIfAborted();
      return this.#outcome('failed', again);
    }
    return this.#outcome('failed', thrown);
  }

  async #work(): Promise<MoveEnding> {
    const { controls, nodes, protocol } = this.#parts;
    this.#noteOptions();
    for (;;) {
      const ends = await this.#ends.read();
      const seen = ownershipOf(this.#step, this.#slots, ends);
      this.#before ??= await this.#readBefore(seen);
      await this.#noteMoved(seen);
      const own = await findOwnTask(this.#parts, this.#slots);
      if (own !== undefined) {
        if (!seen.atSource.every((slot) => this.#loads.has(slot))) await this.#measure(seen);
        await this.#follow(own.id, listSlots(own.slots));
        continue;
      }
      const owners = await this.#ends.settledOwners(this.#slots, ends);
      await this.#noteMoved(owners);
      if (owners.atSource.length === 0) break;
      if (controls.stop.aborted) return 'stopped';
      await this.#moveSome(ends, owners);
    }
    const { targetId, slots } = { targetId: this.#step.target.nodeId, slots: this.#slots };
    const { nodeTimeoutMs } = this.#step;
    this.#tally.note(
      ...(await settle({ protocol, nodes, controls, targetId, slots, nodeTimeoutMs })),
    );
    return 'done';
  }

  /** One batch, from its beginning to its end. */
  async #moveSome(ends: EndReadings, owners: Ownership): Promise<void> {
    const { protocol, nodes, controls } = this.#parts;
    requireReady(this.#step, ends);
    const [source, target] = await Promise.all([nodes.source.link(), nodes.target.link()]);
    if (!owners.atSource.every((slot) => this.#loads.has(slot))) {
      await this.#measure(owners);
      const { replacesFunctions } = protocol;
      this.#tally.note(...(await copyFunctions(source, target, replacesFunctions)));
    }
    const batch = this.#chooseBatch(owners.atSource);
    const bytes = batch.reduce((sum, { bytes }) => sum + bytes, 0);
    await requireHeadroom(target, bytes);
    if (protocol.buffersAtSource) await this.#room.raise(bytes);
    controls.detach.throwIfAborted();
    const slots = batch.map(({ slot }) => slot);
    const driving = protocol.drivingEnd === 'source' ? source : target;
    const id = await protocol.begin(driving, this.#step, rangesOf(slots));
    controls.publish(this.#tally.status('moving', { keys: 0, bytes: 0 }));
    await this.#follow(id, slots);
  }

  /** @throws RedroverError when it came to nothing and nobody had asked for that. */
  async #follow(id: string, slots: readonly number[]): Promise<void> {
    const { protocol, nodes, controls } = this.#parts;
    const bytes = slots.reduce((sum, slot) => sum + this.#loadOf(slot).bytes, 0);
    const ending = await new TaskFollower({
      protocol,
      nodes,
      controls,
      step: this.#step,
      id,
      deadlineMs: LEAST_DEADLINE_MS + (bytes / WORST_BYTES_PER_S) * 1000,
      silenceMs: this.#silenceMs,
      onProgress: (phase, arrived) => controls.publish(this.#tally.status(phase, arrived)),
      onBlocked: (ms) => this.#tally.blocked(Math.round(ms)),
    }).run();
    if (ending.kind === 'completed') return;
    await this.#ends.read();
    await this.#awaitTrim();
    if (controls.stop.aborted) return;
    // It may have succeeded all the same.
    const ends = await this.#ends.read();
    if (ownershipOf(this.#step, slots, ends).atTarget.length === slots.length) return;
    this.#cancelled += 1;
    if (ending.kind === 'cancelled' && this.#cancelled <= MAX_CANCELLED) return;
    const reason = ending.kind === 'failed' ? ending.reason : 'it was cancelled by somebody else';
    throw new RedroverError(
      'unavailable',
      `moving ${describeSlots(slots)} from ${this.#step.source.node} to ` +
        `${this.#step.target.node} failed: ${reason}`,
      { context: { task: id } },
    );
  }

  /** Resolves when nothing of it goes on any more; until then whoever looks sees that it is stopping. */
  async #callOff(): Promise<void> {
    const { protocol, nodes, controls } = this.#parts;
    const slots = this.#slots;
    const step = this.#step;
    await callOff({
      protocol,
      nodes,
      step,
      slots,
      controls,
      onWait: async (ends) => {
        const names = ends.map((end) => step[end].node).join(' and ');
        const state = `stopping: ${names} has not said that the migration ended`;
        controls.publish(this.#tally.status(state, { keys: 0, bytes: 0 }));
        await controls.orderStop();
      },
    });
  }

  /** What came in of a task that was called off is removed again, before anything else comes in. */
  async #awaitTrim(): Promise<void> {
    const { protocol, nodes, controls } = this.#parts;
    const since = performance.now();
    while (performance.now() - since < LEAST_DEADLINE_MS) {
      if ((await onLink(nodes.target, (link) => protocol.isTrimming(link))) !== true) return;
      await pause(pollMs(performance.now() - since), { ...controls, stop: controls.detach });
    }
  }

  /** A task that is gone on with may have moved slots already: those count as well. */
  async #readBefore({ atTarget }: Ownership): Promise<ReadonlySet<number>> {
    const { isResumed } = this.#parts.controls;
    if (isResumed) return new Set(listSlots(this.#memo.read().before ?? []));
    if (atTarget.length > 0) await this.#memo.add({ before: rangesOf(atTarget) });
    return new Set(atTarget);
  }

  async #noteMoved({ atTarget }: Ownership): Promise<void> {
    const isFresh = (slot: number): boolean => !this.#moved.has(slot) && !this.#before?.has(slot);
    const fresh = atTarget.filter(isFresh);
    const unknown = fresh.filter((slot) => !this.#loads.has(slot));
    // Moved while no agent looked: what they hold is counted where they are now.
    if (unknown.length > 0) await this.#load(await this.#parts.nodes.target.link(), unknown);
    for (const slot of fresh) this.#moved.add(slot);
    this.#tally.moved(fresh.map((slot) => this.#loadOf(slot)));
  }

  /** Of slots that are still at the source: how many keys they have, as far as it tells. */
  async #measure({ atSource }: Ownership): Promise<void> {
    await this.#load(await this.#parts.nodes.source.link(), atSource);
  }

  async #load(link: Link, slots: readonly number[]): Promise<void> {
    for (const load of await measureSlots(link, slots)) this.#loads.set(load.slot, load);
    this.#tally.expect([...this.#loads.values()]);
  }

  #loadOf(slot: number): SlotLoad {
    return this.#loads.get(slot) ?? { slot, keys: 0, bytes: 0 };
  }

  #chooseBatch(slots: readonly number[]): readonly SlotLoad[] {
    const batch: SlotLoad[] = [];
    let bytes = 0;
    for (const slot of slots) {
      const load = this.#loadOf(slot);
      bytes += load.bytes;
      if (bytes > BATCH_BYTES && batch.length > 0) break;
      batch.push(load);
    }
    return batch;
  }

  #noteOptions(): void {
    const { options, engine } = this.#step;
    if (options.rateBytesPerS === 0 && options.maxLatencyMs === 0) return;
    this.#tally.note(`with ${engine} the servers set the pace: no rate or latency was held`);
  }

  #outcome(ending: MoveEnding, thrown: unknown): MoveOutcome {
    const error = ending === 'failed' ? failureOf(thrown) : undefined;
    return { ending, report: this.#tally.report, error };
  }
}
