/** What the words of both ends mean for a task that is being followed. Pure. */
import type { EndName } from './replaced.ts';
import type { EndState } from './server-task.ts';

export interface Ends {
  /** Undefined: the node does not answer. */
  readonly source: EndState | undefined;
  readonly target: EndState | undefined;
  /** For how long it has been so, in milliseconds. */
  readonly sameForMs: number;
  /** How often the server began again by itself. */
  readonly retries: number;
  /** Since the task was begun, or found. */
  readonly ageMs: number;
  readonly deadlineMs: number;
  /** How long an end may be silent. */
  readonly silenceMs: number;
  /** A silent end in whose place there is somebody else. */
  readonly replaced: EndName | undefined;
}

/**
 * - `follow`: look again. `completed`: what the views say decides.
 * - `failed`, `cancelled`: it has come to nothing, or is about to; both ends are told to drop it.
 */
export type Verdict =
  | { readonly kind: 'follow' | 'completed' | 'cancelled' }
  | { readonly kind: 'failed'; readonly reason: string };

/** One end may be a moment behind the other. */
const BEHIND_MS = 2_000;
/** A target that begins again each second and fails each time has been told enough. */
const MAX_RETRIES = 3;

export function judgeEnds(ends: Ends): Verdict {
  const { source, target } = ends;
  if (source === 'completed' && target === 'completed') return { kind: 'completed' };
  const states = [source, target];
  // First, as the other end knows only that it has failed.
  if (states.includes('cancelled')) return { kind: 'cancelled' };
  if (states.includes('failed') && (!states.includes('running') || ends.sameForMs >= BEHIND_MS)) {
    return failed('the server gave it up');
  }
  if (ends.ageMs > ends.deadlineMs) return failed(`it has not ended in ${ends.deadlineMs} ms`);
  if (ends.retries > MAX_RETRIES) return failed(`the server has tried it ${ends.retries} times`);
  if (ends.replaced !== undefined)
    return failed(`the ${ends.replaced} was replaced by its replica`);
  if (states.includes(undefined)) {
    if (ends.sameForMs < ends.silenceMs) return { kind: 'follow' };
    const silent = source === undefined ? 'source' : 'target';
    return failed(`the ${silent} has not answered for ${ends.silenceMs} ms`);
  }
  if (ends.sameForMs < BEHIND_MS) return { kind: 'follow' };
  // One that does not know it any more was started since: the views tell how far it had come.
  if (states.includes('completed')) return { kind: 'completed' };
  if (states.includes('unknown')) {
    const restarted = source === 'unknown' ? 'source' : 'target';
    return failed(`the ${restarted} does not know of it any more: it was started anew`);
  }
  return { kind: 'follow' };
}

function failed(reason: string): Verdict {
  return { kind: 'failed', reason };
}
