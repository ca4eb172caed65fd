/** An operation on a display: a bar and what is under way on a terminal, finished steps in a pipe. */
import type { Attempt } from '@redrover/core';

import type { Style } from '../output/style.ts';
import { formatDuration } from '../output/units.ts';
import { describeStepKey } from '../render/step-text.ts';
import { bar, spinner } from './display.ts';
import type { Display } from './display.ts';
import { countDone, runningAttempts } from './operation-progress.ts';
import type { OperationEvent, OperationProgress } from './operation-progress.ts';

const BAR_WIDTH = 24;

// More would push the interesting part off a small terminal.
const MAX_RUNNING_LINES = 8;

// A compiler prints hundreds of lines; in a pipe one in this time says that it lives.
const PLAIN_DETAIL_INTERVAL_MS = 10_000;

// Most waits are over before anybody could read them; in a pipe only those are told that last.
const PLAIN_WAIT_MS = 3_000;
const MAX_PLAIN_WAITS = 3;

export class OperationDisplay {
  readonly #display: Display;
  readonly #style: Style;
  readonly #finished = new Set<string>();
  readonly #detailSaidMs = new Map<string, number>();
  #saidWaits = '';
  #quietSinceMs = 0;

  constructor(display: Display, style: Style) {
    this.#display = display;
    this.#style = style;
  }

  /** Says what stays: ends of steps, failures, and in a pipe also signs of life. */
  onEvent(event: OperationEvent, progress: OperationProgress, nowMs: number): void {
    this.#quietSinceMs = nowMs;
    if (event.kind === 'attempt') this.#sayAttempt(event.attempt, progress);
    if (event.kind === 'progress' && !this.#display.live) {
      this.#sayDetail(event.stepKey, event.line, nowMs);
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
    const took = formatDuration(attempt.endedAtMs - attempt.startedAtMs);
    const at = formatDuration(attempt.endedAtMs - operation.createdAtMs).padStart(9);
    const what = describeStepKey(attempt.stepKey);
    const remark = attempt.message === '' ? '' : `: ${attempt.message}`;
    if (attempt.outcome === 'failed') {
      this.#display.say(`${at}  ${this.#style.bad('failed')}  ${what} (${took})${remark}`);
    } else if (!this.#display.live) {
      this.#display.say(`${at}  done    ${what} (${took})${remark}`);
    }
  }

  #sayWaits({ waits }: OperationProgress): void {
    const told = waits
      .slice(0, MAX_PLAIN_WAITS)
      .map(({ subject, reason }) => `${subject}: ${reason}`);
    const more = waits.length - told.length;
    const text = [...told, ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
    if (text !== '' && text !== this.#saidWaits) this.#display.say(`           waiting ${text}`);
    this.#saidWaits = text;
  }

  #sayDetail(stepKey: string, line: string, nowMs: number): void {
    const saidMs = this.#detailSaidMs.get(stepKey);
    // The first line of a step is no news: the step itself just began.
    this.#detailSaidMs.set(stepKey, saidMs ?? nowMs);
    if (saidMs === undefined || nowMs - saidMs < PLAIN_DETAIL_INTERVAL_MS) return;
    this.#detailSaidMs.set(stepKey, nowMs);
    this.#display.say(`           ...     ${describeStepKey(stepKey)}: ${line}`);
  }

  #liveLines(progress: OperationProgress, nowMs: number): string[] {
    const { operation, foreseenSteps, waits } = progress;
    const done = countDone(progress);
    const total = Math.max(foreseenSteps ?? 0, progress.attempts.size);
    const fraction = total === 0 ? 0 : done / total;
    const elapsed = formatDuration(nowMs - operation.createdAtMs);
    const running = runningAttempts(progress);
    const lines = running
      .slice(0, MAX_RUNNING_LINES)
      .map((attempt) => this.#runningLine(attempt, progress, nowMs));
    const more = running.length - lines.length;
    const head =
      `${this.#style.accent(bar(fraction, BAR_WIDTH))} ${done}/${total} steps  ${elapsed}` +
      (operation.state === 'paused' ? this.#style.caution('  paused') : '');
    return [
      head,
      ...lines,
      ...(more > 0 ? [`  and ${more} more`] : []),
      ...waits.slice(0, MAX_RUNNING_LINES).map(({ subject, reason }) => {
        return this.#style.faint(`  waiting: ${subject}: ${reason}`);
      }),
    ];
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
