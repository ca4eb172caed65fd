/** Waiting on a condition with a deadline; the message says what was waited for in vain. */
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 100;

/** Resolves with the first answer that is neither false nor undefined. */
export async function until<T>(
  what: string,
  condition: () => Promise<T | false | undefined> | T | false | undefined,
  timeoutMs = 30_000,
): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs;
  let lastError: unknown;
  for (;;) {
    try {
      const answer = await condition();
      if (answer !== false && answer !== undefined) return answer;
      lastError = undefined;
    } catch (error) {
      // It may be part of what is waited for: a controller that is not back yet.
      lastError = error;
    }
    if (performance.now() > deadlineMs) {
      throw new Error(`not within ${timeoutMs} ms: ${what}`, { cause: lastError });
    }
    await delay(POLL_MS);
  }
}
