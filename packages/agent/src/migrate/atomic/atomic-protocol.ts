/**
 * What the two products call the same things. A protocol asks and tells; when, and what follows from
 * the answers, is `atomic-run.ts`'s business.
 */
import type { MoveEngine, MoveSlotsStep, SlotRange } from '@redrover/core';
import type { Link } from '../link/link.ts';
import type { ServerTask } from './server-task.ts';

export interface AtomicProtocol {
  readonly engine: MoveEngine;
  /** The end that is asked to begin, and on which this agent is. */
  readonly drivingEnd: 'source' | 'target';
  /** Whether writes that are held back for the target count against the source's limit for replicas. */
  readonly buffersAtSource: boolean;
  /** Whether the target is given the source's function libraries, also in place of others of their names. */
  readonly replacesFunctions: boolean;
  /** Answers the task's id. @throws RedroverError when the server refuses. */
  readonly begin: (link: Link, step: MoveSlotsStep, slots: readonly SlotRange[]) => Promise<string>;
  /** Tasks that the node knows: those at work, and some that have ended. */
  readonly list: (link: Link) => Promise<readonly ServerTask[]>;
  /** Of one end; answers whether there was anything to cancel. */
  readonly cancel: (link: Link, id: string) => Promise<boolean>;
  /** The end at which a task that has failed begins again by itself, until it is cancelled. */
  readonly retryingEnd: 'target' | undefined;
  /** The ends to cancel at, in this order. */
  readonly cancelOrder: readonly ('source' | 'target')[];
  /** Whether keys that are no longer the node's are still being removed. */
  readonly isTrimming: (link: Link) => Promise<boolean>;
}
