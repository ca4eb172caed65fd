/**
 * An operation on a display: bars and what is under way on a terminal; in a pipe finished steps, and
 * signs of life of those that last.
 */
import type { Attempt, Operation } from '@redrover/core';

import type { Style } from '../output/style.ts';
import { formatCount, formatDuration } from '../output/units.ts';
import { describeStepKey } from '../render/step-text.ts';
import { describeAttemptEnd } from './attempt-end.ts';
import { bar, spinner } from './display.ts';
import type { Display } from './display.ts';
import { countDone, runningAttempts } from './operation-progress.ts';
import type { OperationEvent, OperationProgress } from './operation-progress.ts';
import { pairLine, pairLines } from './pair-text.ts';

const BAR_WIDTH = 24;

// More would push the interesting part off a small terminal.
const MAX_RUNNING_LINES = 8;

// A compiler prints hundreds of lines; in a pipe one in this time says that it lives.
const PLAIN_DETAIL_INTERVAL_MS = 10_000;

// Slots on their way are what a person waits for, perhaps with a hand on `op pause`.
const PLAIN_PAIR_INTERVAL_MS = 5_000;

// Most waits are over before anybody could read them; in a pipe only those are told that last.
const PLAIN_WAIT_MS = 3_000;
const MAX_PLAIN_WAITS = 3;

// What is watched comes first, however little room there is.
const MIN_PAIR_LINES = 3;

export class OperationDisplay {
  readonly #display: Display;
  readonly #style: Style;
  readonly #finished = new Set<string>();
  readonly #detailSaidMs = new Map<string, number>();
  #isPaused = false;
  #saidWaits = '';
  #quietSinceMs = 0;

  constructor(display: Display, style: Style) {
    this.#display = display;
    this.#style = style;
  }

  /** Says what stays: ends of steps, failures, and in a pipe also signs of life. */
  onEvent(event: OperationEvent, progress: OperationProgress, nowMs: number): void {
    this.#quietSinceMs = nowMs;
    if (event.kind === 'operation') this.#sayPaused(event.operation);
    if (event.kind === 'attempt') this.#sayAttempt(event.attempt, progress);
    if (event.kind === 'progress' && !this.#display.live) {
      this.#sayDetail(event.stepKey, progress, nowMs);
    }
  }

  /** To be called several times a second. */
  redraw(progress: OperationProgress, nowMs: number): void {
    if (this.#display.live) this.#display.show(this.#liveLines(progress, nowMs));
    else if (nowMs - this.#quietSinceMs >= PLAIN_WAIT_MS) this.#sayWaits(progress);
  }

  say(line: string): void {
    this.#display.say(line);
  }

  clear(): void {
    this.#display.clear();
  }

  #sayAttempt(attempt: Attempt, { operation }: OperationProgress): void {
    if (attempt.outcome === 'running' || attempt.endedAtMs === undefined) return;
    const key = `${attempt.stepKey} ${attempt.startedAtMs}`;
    if (this.#finished.has(key)) return;
    this.#finished.add(key);
    if (attempt.outcome !== 'failed' && this.#display.live) return;
    const at = formatDuration(attempt.endedAtMs - operation.createdAtMs).padStart(9);
    this.#display.say(`${at}  ${describeAttemptEnd(attempt, this.#style)}`);
  }

  /** Nothing else will be said until somebody does something. */
  #sayPaused({ id, state }: Operation): void {
    const isNews = (state === 'paused') !== this.#isPaused;
    this.#isPaused = state === 'paused';
    if (!isNews || this.#display.live) return;
    this.#display.say(`           ${this.#isPaused ? `paused   ${wayOn(id)}` : 'resumed'}`);
  }

  #sayWaits({ waits }: OperationProgress): void {
    const told = waits
      .slice(0, MAX_PLAIN_WAITS)
      .map(({ subject, reason }) => `${subject}: ${reason}`);
    const more = waits.length - told.length;
    const text = [...told, ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
    if (text !== '' && text !== this.#saidWaits) this.#display.say(`           waiting  ${text}`);
    this.#saidWaits = text;
  }

  #sayDetail(stepKey: string, { details }: OperationProgress, nowMs: number): void {
    const detail = details.get(stepKey);
    if (detail === undefined) return;
    const { move, line } = detail;
    const intervalMs = move === undefined ? PLAIN_DETAIL_INTERVAL_MS : PLAIN_PAIR_INTERVAL_MS;
    const saidMs = this.#detailSaidMs.get(stepKey);
    // The first line of a step is no news: the step itself just began.
    this.#detailSaidMs.set(stepKey, saidMs ?? nowMs);
    if (saidMs === undefined || nowMs - saidMs < intervalMs) return;
    this.#detailSaidMs.set(stepKey, nowMs);
    const told = move === undefined ? `${describeStepKey(stepKey)}: ${line}` : pairLine(move);
    this.#display.say(`           ...      ${told}`);
  }

  #liveLines(progress: OperationProgress, nowMs: number): string[] {
    const { operation, waits, details } = progress;
    const elapsed = formatDuration(nowMs - operation.createdAtMs);
    const [moving, running] = partition(runningAttempts(progress), ({ stepKey }) => {
      return details.get(stepKey)?.move !== undefined;
    });
    const lines = running
      .slice(0, MAX_RUNNING_LINES)
      .map((attempt) => this.#runningLine(attempt, progress, nowMs));
    const more = running.length - lines.length;
    const { width, height } = this.#display.size();
    const pairs = moving.flatMap(({ stepKey }) => details.get(stepKey)?.move ?? []);
    // A bar says it already.
    const seen = new Set(pairs.map(({ now }) => `slots move from ${now.source} to ${now.target}`));
    const told = waits.filter(({ reason }) => !seen.has(reason)).slice(0, MAX_RUNNING_LINES);
    const room = Math.max(MIN_PAIR_LINES, height - 2 - lines.length - told.length);
    const head =
      `${this.#describeSteps(progress)}  ${elapsed}` +
      (operation.state === 'paused' ? this.#style.caution(`  paused: ${wayOn(operation.id)}`) : '');
    return [
      head,
      ...pairLines({ pairs, width, height: room, style: this.#style }),
      ...lines,
      ...(more > 0 ? [`  and ${more} more`] : []),
      ...told.map(({ subject, reason }) => {
        return this.#style.faint(`  waiting: ${subject}: ${reason}`);
      }),
    ];
  }

  /** How many there will be is known to whoever saw the plan; of any other number no bar is made. */
  #describeSteps(progress: OperationProgress): string {
    const done = countDone(progress);
    if (progress.foreseenSteps === undefined) return `${formatCount(done, 'step')} done`;
    const total = Math.max(progress.foreseenSteps, progress.attempts.size);
    const fraction = total === 0 ? 0 : done / total;
    return `${this.#style.accent(bar(fraction, BAR_WIDTH))} ${done}/${total} steps`;
  }

  #runningLine(attempt: Attempt, { details }: OperationProgress, nowMs: number): string {
    const detail = details.get(attempt.stepKey);
    const fraction = detail?.fraction;
    const percent = fraction === undefined ? '' : ` ${Math.floor(fraction * 100)} %`;
    const took = formatDuration(nowMs - attempt.startedAtMs);
    const line = detail === undefined ? '' : this.#style.faint(`  ${detail.line.trim()}`);
    return `${spinner(nowMs)} ${describeStepKey(attempt.stepKey)} ${took}${percent}${line}`;
  }
}

function wayOn(id: string): string {
  return `redrover op resume ${id} goes on with it`;
}

function partition<T>(items: readonly T[], matches: (item: T) => boolean): [T[], T[]] {
  return [items.filter(matches), items.filter((item) => !matches(item))];
}
