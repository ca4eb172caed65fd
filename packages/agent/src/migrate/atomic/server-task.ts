/** A slot migration as a server tells of it, in the words of neither product. */
import type { SlotRange } from '@redrover/core';
import { ReplyFault, type Reply, replyText } from '../link/resp-parser.ts';

export interface ServerTask {
  /** The server's own; the same on both ends. */
  readonly id: string;
  readonly direction: 'out' | 'in';
  /** Empty where the server does not say. */
  readonly sourceId: string;
  readonly targetId: string;
  readonly slots: readonly SlotRange[];
  readonly state: 'running' | 'completed' | 'failed' | 'cancelled';
  /** The server's own word, such as `snapshotting`. */
  readonly phase: string;
  /** Why it failed; empty if it did not. */
  readonly message: string;
  /** How often the server began again by itself. */
  readonly retries: number;
  /** For how long the server says that writes were held; 0 where it does not say. */
  readonly pausedMs: number;
}

/** What one end knows of a task; `unknown`: it has never heard of it, or has been started since. */
export type EndState = ServerTask['state'] | 'unknown';

/** Names and values take turns in what servers answer. */
export function readFields(reply: Reply): ReadonlyMap<string, string> {
  const parts = Array.isArray(reply) ? (reply as readonly Reply[]) : [];
  const fields = new Map<string, string>();
  for (let index = 0; index + 1 < parts.length; index += 2) {
    fields.set(replyText(parts[index]), replyText(parts[index + 1]));
  }
  return fields;
}

/** The elements of a list of tasks; an error reply is thrown by the caller before. */
export function elementsOf(reply: Reply): readonly Reply[] {
  if (reply instanceof ReplyFault || !Array.isArray(reply)) return [];
  return reply as readonly Reply[];
}

/** `0-1365 2000`, also with commas. */
export function readRanges(text: string): SlotRange[] {
  return text
    .split(/[\s,]+/)
    .filter((part) => part !== '')
    .map((part) => {
      const [start = NaN, end = start] = part.split('-').map(Number);
      return { start, end };
    });
}
