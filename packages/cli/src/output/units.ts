/** Sizes, times and counts as people read them. JSON output never goes through here. */

export { bytesText as formatBytes } from '@redrover/core';

/** `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`, `5 d 3 h`. */
export function formatDuration(durationMs: number): string {
  const seconds = Math.max(0, durationMs) / 1000;
  if (seconds < 10) return `${trimZeros(seconds.toFixed(1))} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return joinUnits(Math.floor(whole / 60), 'min', whole % 60, 's');
  const minutes = Math.floor(whole / 60);
  if (minutes < 24 * 60) return joinUnits(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
  const hours = Math.floor(minutes / 60);
  return joinUnits(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

/** `now`, `12 s ago`; the empty string is for a time that is not known. */
export function formatAge(timeMs: number | undefined, nowMs: number): string {
  if (timeMs === undefined || timeMs === 0) return '';
  const ageMs = nowMs - timeMs;
  return ageMs < 1500 ? 'now' : `${formatDuration(ageMs)} ago`;
}

/** `83,333`: for amounts of data, where digits would have to be counted. */
export function formatNumber(value: number): string {
  return Math.round(value).toLocaleString('en');
}

/** `0.4 ms`, `12 ms`, then as durations: for times that are mostly below a second. */
export function formatLatency(latencyMs: number): string {
  if (latencyMs >= 1000) return formatDuration(latencyMs);
  return `${trimZeros(latencyMs.toFixed(latencyMs < 10 ? 1 : 0))} ms`;
}

export function formatCount(count: number, singular: string, plural = `${singular}s`): string {
  return `${count} ${count === 1 ? singular : plural}`;
}

function joinUnits(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

function trimZeros(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}
