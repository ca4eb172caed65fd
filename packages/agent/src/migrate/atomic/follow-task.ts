/**
 * Follows one task of the servers to its end, or calls it off. What the slots' owners are afterwards is
 * for the views to tell, whatever the servers say of the task.
 */
import type { MoveSlotsStep } from '@redrover/core';
import type { Link } from '../link/link.ts';
import type { MoveControls } from '../move-driver.ts';
import type { MoveNode, MoveNodes } from '../mover/move-nodes.ts';
import type { AtomicProtocol } from './atomic-protocol.ts';
import { judgeEnds, type Verdict } from './judge-ends.ts';
import { readArrived, type Arrived } from './load.ts';
import { pause, pollMs } from './pace.ts';
import { findReplaced, type EndName } from './replaced.ts';
import type { EndState, ServerTask } from './server-task.ts';

export interface FollowOptions {
  readonly protocol: AtomicProtocol;
  readonly nodes: MoveNodes;
  readonly controls: MoveControls;
  readonly step: MoveSlotsStep;
  readonly id: string;
  /** For its end; a task that makes no progress must not be waited for until a person looks. */
  readonly deadlineMs: number;
  readonly silenceMs: number;
  /** Now and then, with the server's own word for what it does. */
  readonly onProgress: (phase: string, arrived: Arrived) => void;
  readonly onBlocked: (ms: number) => void;
}

export type FollowEnding = Exclude<Verdict, { kind: 'follow' }>;

const PUBLISH_EVERY_MS = 250;
/** A cancelled task is put away within a poll of the server's own clock, ten times a second. */
const CANCEL_TIMEOUT_MS = 10_000;

export class TaskFollower {
  readonly #options: FollowOptions;
  readonly #startTick = performance.now();
  #picture = '';
  #pictureTick = this.#startTick;
  #publishedTick = this.#startTick;
  #arrivedBefore: Arrived | undefined;
  /** When writes were not held yet, as of the last look. */
  #freeTick = this.#startTick;
  #calledOffTick: number | undefined;

  constructor(options: FollowOptions) {
    this.#options = options;
  }

  async run(): Promise<FollowEnding> {
    const { controls, nodes } = this.#options;
    for (;;) {
      controls.detach.throwIfAborted();
      if (controls.stop.aborted && this.#calledOffTick === undefined) {
        await this.#callOff();
        // Whoever called it off waits for silent ends, and that for longer than a follower does.
        if (!nodes.source.openLinkNow || !nodes.target.openLinkNow) return { kind: 'cancelled' };
      }
      const tasks = await this.#look();
      const verdict = this.#judge(tasks);
      if (verdict.kind === 'follow') {
        await this.#publish(tasks);
        await pause(pollMs(this.#elapsedMs), controls);
        continue;
      }
      this.#noteBlocked(tasks);
      if (verdict.kind !== 'completed' && this.#calledOffTick === undefined) await this.#callOff();
      return verdict;
    }
  }

  /** Tells the ends that answer to drop it. One that has completed meanwhile stays completed. */
  async #callOff(): Promise<void> {
    const { protocol, nodes, id } = this.#options;
    this.#calledOffTick ??= performance.now();
    for (const end of protocol.cancelOrder) {
      // One that has just not answered is not waited for once more: that comes later.
      if (nodes[end].openLinkNow === undefined) continue;
      await onLink(nodes[end], (link) => protocol.cancel(link, id));
    }
  }

  get #elapsedMs(): number {
    return performance.now() - this.#startTick;
  }

  /** Called off, it ends soon, or there is nobody to end it. */
  get #deadlineMs(): number {
    if (this.#calledOffTick === undefined) return this.#options.deadlineMs;
    return this.#calledOffTick - this.#startTick + CANCEL_TIMEOUT_MS;
  }

  async #look(): Promise<Seen> {
    const { protocol, nodes, id, step } = this.#options;
    const [source, target] = await Promise.all(
      (['source', 'target'] as const).map(async (end) => {
        const tasks = await onLink(nodes[end], (link) => protocol.list(link));
        return tasks && { task: newestOf(tasks, id) };
      }),
    );
    const isSilent = source === undefined || target === undefined;
    return { source, target, replaced: isSilent ? await findReplaced(nodes, step) : undefined };
  }

  #judge(seen: Seen): Verdict {
    const now = performance.now();
    const picture = JSON.stringify([
      seen.source?.task?.state ?? typeof seen.source,
      seen.target?.task?.state ?? typeof seen.target,
    ]);
    if (picture !== this.#picture) {
      this.#picture = picture;
      this.#pictureTick = now;
    }
    const { silenceMs } = this.#options;
    const verdict = judgeEnds({
      source: stateOf(seen.source),
      target: stateOf(seen.target),
      sameForMs: now - this.#pictureTick,
      retries: Math.max(seen.source?.task?.retries ?? 0, seen.target?.task?.retries ?? 0),
      ageMs: this.#elapsedMs,
      deadlineMs: this.#deadlineMs,
      silenceMs,
      replaced: seen.replaced,
    });
    if (verdict.kind !== 'failed') return verdict;
    const said = [seen.source?.task?.message, seen.target?.task?.message].filter(Boolean);
    return said.length === 0
      ? verdict
      : { ...verdict, reason: `${verdict.reason}: ${said.join('; ')}` };
  }

  async #publish(seen: Seen): Promise<void> {
    const now = performance.now();
    const phase = seen.source?.task?.phase ?? seen.target?.task?.phase ?? '';
    if (!isHeld(seen)) this.#freeTick = now;
    this.#arrivedBefore ??= await this.#readArrived();
    if (now - this.#publishedTick < PUBLISH_EVERY_MS) return;
    this.#publishedTick = now;
    const arrived = await this.#readArrived();
    if (arrived === undefined || this.#arrivedBefore === undefined) return;
    this.#options.onProgress(phase, {
      keys: arrived.keys - this.#arrivedBefore.keys,
      bytes: arrived.bytes - this.#arrivedBefore.bytes,
    });
  }

  #readArrived(): Promise<Arrived | undefined> {
    return onLink(this.#options.nodes.target, readArrived);
  }

  /** As the server says it, or between the looks before and after it held writes: never less than it was. */
  #noteBlocked(seen: Seen): void {
    const said = Math.max(seen.source?.task?.pausedMs ?? 0, seen.target?.task?.pausedMs ?? 0);
    this.#options.onBlocked(said > 0 ? said : performance.now() - this.#freeTick);
  }
}

interface Seen {
  readonly source: SeenEnd;
  readonly target: SeenEnd;
  readonly replaced: EndName | undefined;
}

/** Undefined: it does not answer. */
type SeenEnd = { readonly task: ServerTask | undefined } | undefined;

/** A server that begins again may list its former try as well. */
function newestOf(tasks: readonly ServerTask[], id: string): ServerTask | undefined {
  const own = tasks.filter((task) => task.id === id);
  return own.find(({ state }) => state === 'running') ?? own[0];
}

function stateOf(seen: SeenEnd): EndState | undefined {
  return seen === undefined ? undefined : (seen.task?.state ?? 'unknown');
}

/** Valkey names the time in which it holds writes: `failover-paused`, `failover-granted`. */
function isHeld({ source }: Seen): boolean {
  return source?.task?.phase.startsWith('failover') ?? false;
}

/** Undefined when the node does not answer, or refuses. */
export async function onLink<T>(
  node: MoveNode,
  ask: (link: Link) => Promise<T>,
): Promise<T | undefined> {
  try {
    return await ask(await node.link());
  } catch {
    // A node that does not answer is a fact, which the caller judges by how long it lasts.
    return undefined;
  }
}
