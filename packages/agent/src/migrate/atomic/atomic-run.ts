/**
 * One task of an atomic engine, from reading who owns its slots to seeing that everybody knows the new
 * owner. Whatever has happened before (another agent, a lost connection, a migration that may have
 * succeeded), each turn begins with the owners and the servers' own tasks, and goes on from there.
 */
import { RedroverError, type MoveSlotsStep } from '@redrover/core';
import { copyFunctions } from '../copy-functions.ts';
import type { MoveControls } from '../move-driver.ts';
import type { MoveEnding, MoveOutcome, MoveTask } from '../move-task.ts';
import type { MoveNodes } from '../mover/move-nodes.ts';
import { failureOf } from '../outcomes.ts';
import type { AtomicProtocol } from './atomic-protocol.ts';
import { describeSlots } from './describe-slots.ts';
import { onLink, TaskFollower } from './follow-task.ts';
import { measureSlots, requireHeadroom, type SlotLoad } from './load.ts';
import { findOwnTask, ownTasks } from './running-tasks.ts';
import { MoveTally } from './move-tally.ts';
import type { OutputBuffers } from './output-buffers.ts';
import {
  ownershipOf,
  rangesOf,
  readEnds,
  slotsIn,
  type EndReadings,
  type Ownership,
} from './ownership.ts';
import { pause, pollMs } from './pace.ts';
import { requireReady } from './ready.ts';
import { settle } from './settle.ts';
import { SourceRoom } from './source-room.ts';

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
  readonly #room: SourceRoom;
  readonly #loads = new Map<number, SlotLoad>();
  readonly #moved = new Set<number>();
  #cancelled = 0;

  constructor(parts: AtomicParts) {
    this.#parts = parts;
    this.#step = parts.task.step;
    this.#slots = slotsIn(this.#step.slots);
    this.#tally = new MoveTally(this.#step);
    this.#room = new SourceRoom(parts);
    this.#silenceMs = this.#step.nodeTimeoutMs + SILENCE_MARGIN_MS;
  }

  /** Rejects only when the agent ends. */
  async run(): Promise<MoveOutcome> {
    const { detach } = this.#parts.controls;
    try {
      this.#room.adopt();
      const ending = await this.#work();
      return this.#outcome(ending, undefined);
    } catch (thrown) {
      detach.throwIfAborted();
      await this.#callOffLeft();
      return this.#outcome('failed', thrown);
    } finally {
      if (!detach.aborted) await this.#room.putBack();
    }
  }

  async #work(): Promise<MoveEnding> {
    const { controls, nodes, protocol } = this.#parts;
    this.#noteOptions();
    for (;;) {
      const ends = await this.#readEnds();
      const own = await findOwnTask(this.#parts, this.#slots);
      if (own !== undefined) {
        if (this.#loads.size === 0) await this.#measure(slotsIn(own.slots));
        await this.#follow(own.id, slotsIn(own.slots));
        continue;
      }
      const owners = await this.#settledOwners(ends);
      this.#noteMoved(owners);
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
      await this.#measure(owners.atSource);
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
    const bytes = slots.reduce((sum, slot) => sum + (this.#loads.get(slot)?.bytes ?? 0), 0);
    const ending = await new TaskFollower({
      protocol,
      nodes,
      controls,
      id,
      deadlineMs: LEAST_DEADLINE_MS + (bytes / WORST_BYTES_PER_S) * 1000,
      silenceMs: this.#silenceMs,
      onProgress: (phase, arrived) => controls.publish(this.#tally.status(phase, arrived)),
      onBlocked: (ms) => this.#tally.blocked(Math.round(ms)),
    }).run();
    if (ending.kind === 'completed') return;
    await this.#awaitTrim();
    if (controls.stop.aborted) return;
    // It may have succeeded all the same.
    const ends = await this.#readEnds();
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

  /** A failed task leaves nothing at work behind it, as far as its ends can be told. */
  async #callOffLeft(): Promise<void> {
    const { protocol, nodes } = this.#parts;
    for (const end of protocol.cancelOrder) {
      await onLink(nodes[end], async (link) => {
        const left = ownTasks(await protocol.list(link), this.#step, this.#slots);
        for (const { id } of left) await protocol.cancel(link, id);
      });
    }
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

  /** Waits while an end does not answer; the ends must be the ones that were meant. */
  async #readEnds(): Promise<EndReadings> {
    const { nodes, controls } = this.#parts;
    const since = performance.now();
    for (;;) {
      const ends = await readEnds(nodes);
      if (ends !== undefined && !ends.source.loading && !ends.target.loading) {
        this.#requireMasters(ends);
        return ends;
      }
      if (performance.now() - since > this.#silenceMs) {
        throw new RedroverError('unavailable', this.#silentText(ends));
      }
      await pause(pollMs(performance.now() - since), controls);
    }
  }

  #silentText(ends: EndReadings | undefined): string {
    const { source, target } = this.#step;
    const pair = `${source.node} and ${target.node}`;
    return ends === undefined
      ? `not both of ${pair} answer; once they do, the move goes on`
      : `not both of ${pair} have loaded their data; once they have, the move goes on`;
  }

  #requireMasters({ source, target }: EndReadings): void {
    const wanted = [
      [this.#step.source, source],
      [this.#step.target, target],
    ] as const;
    for (const [end, reading] of wanted) {
      if (reading.nodeId !== end.nodeId) {
        throw new RedroverError('failed-precondition', `${end.node} is another node than planned`);
      }
      if (reading.role === 'master') continue;
      throw new RedroverError(
        'failed-precondition',
        `${end.node} is a replica now: slots are moved between masters; plan again`,
      );
    }
  }

  /** A handover is seen by one end before the other. */
  async #settledOwners(ends: EndReadings): Promise<Ownership> {
    const { controls } = this.#parts;
    const since = performance.now();
    let owners = ownershipOf(this.#step, this.#slots, ends);
    while (owners.unclear.length > 0) {
      if (performance.now() - since > this.#silenceMs) {
        throw new RedroverError(
          'failed-precondition',
          `${this.#step.source.node} and ${this.#step.target.node} do not agree that one of them ` +
            `owns ${describeSlots(owners.unclear)}; see \`redrover cluster check\``,
        );
      }
      await pause(pollMs(performance.now() - since), { ...controls, stop: controls.detach });
      owners = ownershipOf(this.#step, this.#slots, await this.#readEnds());
    }
    return owners;
  }

  #noteMoved({ atTarget }: Ownership): void {
    const fresh = atTarget.filter((slot) => this.#loads.has(slot) && !this.#moved.has(slot));
    for (const slot of fresh) this.#moved.add(slot);
    this.#tally.moved(fresh.map((slot) => this.#loads.get(slot) ?? { slot, keys: 0, bytes: 0 }));
  }

  /** Of slots that are still at the source: how many keys they have, as far as it tells. */
  async #measure(slots: readonly number[]): Promise<void> {
    const loads = await measureSlots(await this.#parts.nodes.source.link(), slots);
    for (const load of loads) this.#loads.set(load.slot, load);
    this.#tally.expect([...this.#loads.values()]);
  }

  #chooseBatch(slots: readonly number[]): readonly SlotLoad[] {
    const batch: SlotLoad[] = [];
    let bytes = 0;
    for (const slot of slots) {
      const load = this.#loads.get(slot) ?? { slot, keys: 0, bytes: 0 };
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
