import type { Attempt, MoveProgress } from '@redrover/core';
import { describe, expect, test } from 'vitest';

import { moveProgress, moveReport, operationOf, style } from '../testing/examples.ts';
import { bar } from './display.ts';
import { OperationDisplay } from './operation-display.ts';
import { applyEvent, startProgress } from './operation-progress.ts';
import type { OperationEvent } from './operation-progress.ts';

const operation = operationOf();

interface Played {
  readonly event: OperationEvent;
  readonly atMs: number;
}

function play(
  live: boolean,
  events: readonly Played[],
  redrawAtMs: readonly number[] = [],
  foreseenSteps: number | 'unknown' = 4,
) {
  const said: string[] = [];
  let shown: readonly string[] = [];
  const display = new OperationDisplay(
    {
      say: (line) => void said.push(line.trim()),
      show: (lines) => void (shown = lines),
      clear: () => {},
      live,
      size: () => ({ width: 79, height: 23 }),
    },
    style,
  );
  let progress = startProgress(operation, foreseenSteps === 'unknown' ? undefined : foreseenSteps);
  for (const { event, atMs } of events) {
    progress = applyEvent(progress, event);
    display.onEvent(event, progress, atMs);
  }
  for (const atMs of redrawAtMs) display.redraw(progress, atMs);
  return { said, shown };
}

function attempt(change: Partial<Attempt>): OperationEvent {
  const base = { stepKey: 'startNode h1:1', startedAtMs: 100, endedAtMs: undefined };
  const rest = { outcome: 'running' as const, errorCode: undefined, message: '', move: undefined };
  return { kind: 'attempt', attempt: { ...base, ...rest, ...change } };
}

const done = attempt({ endedAtMs: 300, outcome: 'ok', message: 'runs as pid 1' });

test('in a pipe each finished step is said once, however often it is told', () => {
  const events = [attempt({}), done, done].map((event) => ({ event, atMs: 300 }));
  expect(play(false, events).said).toEqual(['0.3 s  done     start h1:1 (0.2 s): runs as pid 1']);
});

test('on a terminal only failures stay, and a bar shows the rest', () => {
  const failed = attempt({ stepKey: 'startNode h2:1', endedAtMs: 200, outcome: 'failed' });
  const running = attempt({ stepKey: 'startNode h3:1' });
  const events = [failed, done, running].map((event) => ({ event, atMs: 300 }));
  const { said, shown } = play(true, events, [1_100]);
  expect(said).toEqual(['0.2 s  failed   start h2:1 (0.1 s)']);
  expect(shown[0]).toContain('1/4 steps  1.1 s');
  expect(shown[1]).toMatch(/start h3:1 1 s$/);
});

test('where nobody has seen the plan, no bar pretends to know how much there is', () => {
  const events = [{ event: done, atMs: 300 }];
  const { shown } = play(true, events, [1_100], 'unknown');
  expect(shown[0]).toBe('1 step done  1.1 s');
});

test('of a paused operation the way on is said, in a pipe once', () => {
  const turn = (state: 'paused' | 'running', atMs: number): Played => {
    return { event: { kind: 'operation', operation: operationOf({ state }) }, atMs };
  };
  const events = [turn('running', 100), turn('paused', 200), turn('paused', 300)];
  expect(play(false, [...events, turn('running', 400)]).said).toEqual([
    'paused   redrover op resume op1 goes on with it',
    'resumed',
  ]);
  const { said, shown } = play(true, events, [1_100]);
  expect(said).toEqual([]);
  expect(shown[0]).toContain('paused: redrover op resume op1 goes on with it');
});

test('a wait is said in a pipe once it lasts, and once only', () => {
  const waits: OperationEvent = {
    kind: 'waits',
    waits: [{ subject: 'h1:1', reason: 'replica syncing' }],
  };
  const events = [{ event: waits, atMs: 1_000 }];
  expect(play(false, events, [1_500]).said).toEqual([]);
  expect(play(false, events, [1_500, 4_500, 9_000]).said).toEqual([
    'waiting  h1:1: replica syncing',
  ]);
});

test("of a compiler's lines a pipe sees one in ten seconds", () => {
  const line = (atMs: number): Played => ({
    event: {
      kind: 'progress',
      stepKey: 'buildRelease h1 r',
      line: `CC ${atMs}`,
      fraction: undefined,
      move: undefined,
    },
    atMs,
  });
  const { said } = play(false, [line(0), line(5_000), line(10_000), line(12_000), line(20_000)]);
  expect(said).toEqual(['...      build r on h1: CC 10000', '...      build r on h1: CC 20000']);
});

test('a bar is as full as the fraction, and never beyond', () => {
  expect([0, 0.5, 1, 2].map((fraction) => bar(fraction, 4))).toEqual([
    '[░░░░]',
    '[██░░]',
    '[████]',
    '[████]',
  ]);
});

describe('slots on their way', () => {
  const stepKey = 'moveSlots h1:1 > h4:1 migrate';
  const begun = { event: attempt({ stepKey }), atMs: 100 };
  const told = (atMs: number, change: Partial<MoveProgress> = {}): Played => ({
    event: {
      kind: 'progress',
      stepKey,
      line: 'as the agent says',
      fraction: undefined,
      move: moveProgress({ source: 'h1:1', target: 'h4:1', ...change }),
    },
    atMs,
  });

  test('are a bar on a terminal, with the longest block since it is watched', () => {
    const events = [begun, told(200, { blockedMs: 9 }), told(300, { blockedMs: 1 })];
    const { shown } = play(true, events, [1_100]);
    expect(shown[0]).toContain('0/4 steps  1.1 s');
    expect(shown.slice(1)).toEqual([
      'h1:1 → h4:1  [████████░░░░░░░░]   50 %  3.5 s left  moving',
      '    683/1365 slots, 41,000/83,333 keys, 12,000 keys/s, blocked 9 ms at most',
    ]);
  });

  test('are a line every five seconds in a pipe', () => {
    const { said } = play(false, [begun, told(1_000), told(3_000), told(6_000), told(7_000)]);
    expect(said).toEqual([
      '...      h1:1 → h4:1: 50 %, 683/1365 slots, 41,000/83,333 keys, 12,000 keys/s, ' +
        'blocked 3 ms at most, 6.1 MiB of 12 MiB, 1.8 MiB/s, 3.5 s left, moving',
    ]);
  });

  test('that were told to stop have not failed', () => {
    const stopped = attempt({
      stepKey,
      endedAtMs: 2_100,
      outcome: 'failed',
      errorCode: 'cancelled',
      message: 'was told to stop',
      move: moveReport(),
    });
    for (const live of [true, false]) {
      expect(play(live, [begun, { event: stopped, atMs: 2_100 }]).said).toEqual([
        '2.1 s  stopped  move slots from h1:1 to h4:1 (2 s): was told to stop',
      ]);
    }
  });

  test('are summed up where all of it was done, and only a pipe says it at once', () => {
    const all = attempt({ stepKey, endedAtMs: 2_100, outcome: 'ok', move: moveReport() });
    expect(play(true, [begun, { event: all, atMs: 2_100 }]).said).toEqual([]);
    expect(play(false, [begun, { event: all, atMs: 2_100 }]).said).toEqual([
      '2.1 s  done     move slots from h1:1 to h4:1 (2 s): 1365 slots, 83,333 keys, 12 MiB moved, ' +
        'blocked 4.2 ms at most',
    ]);
  });
});
