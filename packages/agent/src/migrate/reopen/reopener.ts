/**
 * Keeps half moved slots open when the master of one end is replaced by a node of this host. A promoted replica knows
 * nothing of open slots before Valkey 8, which replicates them: until they are open again, clients do not find what has
 * been moved, and write it anew. So the agent does at once what the next mover would begin with; it needs no controller
 * for it, as nothing is begun that was not begun before.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { RedroverError, type MoveEnd, type NodeKey, type NodeReading } from '@redrover/core';
import type { Logger } from 'pino';
import type { Promotion } from '../../supervise/role-watch.ts';
import { MoveNode } from '../mover/move-nodes.ts';
import { findMoves, listMasters, type Replaced } from './find-moves.ts';
import { reopenSlots } from './reopen-slots.ts';

export interface ReopenerOptions {
  /** Whether a mover of this host works on the node: then it is the one that goes on. */
  readonly isMoving: (node: NodeKey) => boolean;
  readonly log: Logger;
}

/** By then a mover has gone on, or a person is needed. */
const PATIENCE_MS = 20_000;
const MOVER_LOOK_MS = 50;
/** Between questions to a node that does not answer. */
const PAUSE_MS = 100;

export class Reopener {
  readonly #options: ReopenerOptions;
  readonly #stop = new AbortController();

  constructor(options: ReopenerOptions) {
    this.#options = options;
  }

  /** The agent ends. */
  stop(): void {
    this.#stop.abort();
  }

  /** Until nothing is left to be opened again at the promoted node. Never throws. */
  async reopen(promotion: Promotion): Promise<void> {
    const { log } = this.#options;
    const { key } = promotion.node.record;
    const ended = new AbortController();
    const late = AbortSignal.timeout(PATIENCE_MS);
    const signal = AbortSignal.any([this.#stop.signal, ended.signal, late]);
    try {
      const work = this.#reopenAll(promotion, signal);
      await Promise.race([work, this.#untilMoving(key, signal)]);
      ended.abort();
      await work;
    } catch (thrown) {
      const { code, message } = RedroverError.from(thrown);
      log.warn({ node: key, code, reason: message }, 'open slots were not opened again');
    } finally {
      ended.abort();
    }
  }

  async #untilMoving(key: NodeKey, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !this.#options.isMoving(key)) await delay(MOVER_LOOK_MS);
  }

  async #reopenAll({ node, formerMaster }: Promotion, signal: AbortSignal): Promise<void> {
    const { key, plan, port, password: written, process } = node.record;
    const password = process?.reachedAt?.password ?? written;
    const { address } = plan.node;
    const ask = (end: MoveEnd) => askUntil(end, password, signal);
    const end = { node: key, nodeId: '', address, port };
    const said = await ask(end);
    const known = { formerMaster, nodeTimeoutMs: plan.nodeTimeoutMs };
    const replaced = said && readReplaced(end, said, known);
    if (replaced === undefined) return;
    const { former } = replaced;
    await Promise.all(
      listMasters(replaced).map(async (other) => {
        const answer = await ask(other);
        const steps = answer === undefined ? [] : findMoves(replaced, other, answer);
        for (const step of steps) {
          const slots = await reopenSlots({ step, former, password, signal });
          const pair = { source: step.source.node, target: step.target.node };
          this.#options.log.info({ node: key, ...pair, slots }, 'opened slots again');
        }
      }),
    );
  }
}

interface Known {
  readonly formerMaster: string;
  readonly nodeTimeoutMs: number;
}

/** Undefined if the node is no master any more, or does not know whom it followed. */
function readReplaced(
  end: MoveEnd,
  { role, nodeId, view }: NodeReading,
  { formerMaster, nodeTimeoutMs }: Known,
): (Replaced & { readonly former: MoveEnd }) | undefined {
  const line = view.nodes.find((each) => `${each.address}:${each.port}` === formerMaster);
  if (role !== 'master' || line === undefined) return undefined;
  const { nodeId: formerId, address, port } = line;
  const former: MoveEnd = { node: formerMaster, nodeId: formerId, address, port };
  return { heir: { ...end, nodeId }, formerId, former, view, nodeTimeoutMs };
}

/** Undefined: not in time. */
async function askUntil(
  end: MoveEnd,
  password: string,
  signal: AbortSignal,
): Promise<NodeReading | undefined> {
  const node = new MoveNode(end, password);
  try {
    while (!signal.aborted) {
      const answer = await node.read([]);
      if (answer !== undefined) return answer.reading;
      await delay(PAUSE_MS);
    }
    return undefined;
  } finally {
    node.close();
  }
}
