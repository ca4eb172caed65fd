/** Times, rates, sizes and counts as options take them. Errors: `InvalidArgumentError` of commander. */
import { parseMemorySize } from '@redrover/core';
import { InvalidArgumentError } from 'commander';

const MAX_LATENCY_MS = 1000;

// Slower, and a move of a single gigabyte takes more than a day; the controller refuses it, too.
const MIN_RATE_BYTES_PER_S = 10_240;

const SIZE_UNITS = 'b, kb, mb and gb, or k, m and g for thousands';

/** `5ms`, `0.25s`: whole milliseconds from 1 to 1000. */
export function parseLatencyMs(text: string): number {
  const expected = `expected whole milliseconds from 1ms to ${MAX_LATENCY_MS}ms, such as 5ms.`;
  const match = /^(\d{1,6}(?:\.\d{1,6})?)\s*([a-zµ]*)$/i.exec(text.trim());
  const unit = match?.[2]?.toLowerCase();
  if (match === null || unit === undefined) throw new InvalidArgumentError(expected);
  if (unit === '') throw new InvalidArgumentError(`it has no unit; ${expected}`);
  if (unit !== 'ms' && unit !== 's') {
    throw new InvalidArgumentError(
      `the unit "${unit}" is unknown (ms and s are known); ${expected}`,
    );
  }
  const latencyMs = Number(match[1]) * (unit === 's' ? 1000 : 1);
  if (Number.isInteger(latencyMs) && latencyMs >= 1 && latencyMs <= MAX_LATENCY_MS) {
    return latencyMs;
  }
  throw new InvalidArgumentError(expected);
}

/** `20mb/s` in bytes a second. */
export function parseRate(text: string): number {
  const expected = 'expected a size a second of 10kb/s or more, such as 20mb/s.';
  const match = /^(.+)\/s$/i.exec(text.trim());
  if (match === null) throw new InvalidArgumentError(expected);
  const bytesPerS = readSize(match[1] ?? '', expected);
  if (bytesPerS >= MIN_RATE_BYTES_PER_S) return bytesPerS;
  throw new InvalidArgumentError(`${expected} Leave it out to set no limit.`);
}

/** `64mb` in bytes. */
export function parseSize(text: string): number {
  const expected = 'expected a size of 1b or more, such as 64mb.';
  const sizeBytes = readSize(text, expected);
  if (sizeBytes >= 1) return sizeBytes;
  throw new InvalidArgumentError(expected);
}

export function parseWholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const count = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (count >= min && count <= max) return count;
    throw new InvalidArgumentError(`expected a whole number from ${min} to ${max}.`);
  };
}

function readSize(text: string, expected: string): number {
  const sizeBytes = parseMemorySize(text);
  if (sizeBytes !== undefined) return sizeBytes;
  const unit = /^\d+\s*([^\d\s]+)$/.exec(text.trim())?.[1];
  if (unit === undefined) throw new InvalidArgumentError(expected);
  throw new InvalidArgumentError(
    `the unit "${unit}" is unknown (known are ${SIZE_UNITS}); ${expected}`,
  );
}
