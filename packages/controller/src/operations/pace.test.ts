import type { LayoutNode, Step, Waiting } from '@redrover/core';
import { expect, test } from 'vitest';

import { groupByLane } from './lanes.ts';
import { ObservationTargets } from './observation-targets.ts';
import { PollSchedule } from './poll-schedule.ts';
import { ReportPace } from './report-pace.ts';
import { Wakeup } from './wakeup.ts';

test('polls come ever more rarely, and at once often again after a step', () => {
  const poll = new PollSchedule(0, 5);
  const at: number[] = [];
  for (let tick = 0; tick < 20_000; tick += 1) {
    if (poll.remainingMs(tick) > 0) continue;
    at.push(tick);
    poll.advance(tick);
  }
  const gaps = at.slice(1).map((tick, index) => tick - (at[index] ?? 0));
  expect(gaps[0]).toBe(40);
  expect(gaps.every((gap, index) => gap >= (gaps[index - 1] ?? 0))).toBe(true);
  expect(gaps.at(-1)).toBe(1000);
  poll.restart(20_000);
  expect(poll.remainingMs(20_000)).toBe(40);
});

test('beside moves nodes are asked each second at first, and then less often than they report', () => {
  const poll = new PollSchedule(0, 5, 'moves');
  poll.restart(0);
  expect(poll.remainingMs(0)).toBe(1_000);
  let tick = 0;
  for (let polls = 0; polls < 20; polls += 1) {
    tick += poll.remainingMs(tick);
    poll.advance(tick);
  }
  expect(poll.remainingMs(tick)).toBe(5_000);
});

test('reports wait for each other only while nothing but slots is on its way', () => {
  const pace = new ReportPace();
  const moving = { isIdle: false, isOnlyMoving: true };
  expect(pace.waitMs(0, moving)).toBe(250);
  expect(pace.waitMs(0, { isIdle: true, isOnlyMoving: true })).toBe(0);
  expect(pace.waitMs(0, { isIdle: false, isOnlyMoving: false })).toBe(0);
  pace.noteStepEnd(5_000);
  expect(pace.waitMs(5_999, moving)).toBe(0);
  expect(pace.waitMs(6_000, moving)).toBe(250);
});

test('a ring that can wait is heard once, and not after one that could not', async () => {
  const wakeup = new Wakeup();
  const begin = performance.now();
  wakeup.ringWithin(50);
  wakeup.ringWithin(5_000);
  await wakeup.wait(5_000);
  expect(performance.now() - begin).toBeLessThan(2_000);
  expect(performance.now() - begin).toBeGreaterThan(40);
  wakeup.ringWithin(50);
  wakeup.ring();
  await wakeup.wait(5_000);
  const waited = performance.now();
  await wakeup.wait(150);
  expect(performance.now() - waited).toBeGreaterThan(100);
});

test('steps of a node keep their order in one lane, those of a host have their own', () => {
  const steps = [
    { kind: 'startNode', host: 'h1', node: 'h1:1' },
    { kind: 'probeMesh', host: 'h1', targets: [] },
    { kind: 'setTiming', host: 'h1', node: 'h1:1', nodeTimeoutMs: 5, replicaNoFailover: true },
    { kind: 'startNode', host: 'h1', node: 'h1:2' },
  ] as const satisfies readonly Step[];
  expect([...groupByLane(steps)]).toEqual([
    ['h1:1', [steps[0], steps[2]]],
    ['h1', [steps[1]]],
    ['h1:2', [steps[3]]],
  ]);
});

test('only the nodes that are waited for are asked, unless the cluster as a whole is', () => {
  const nodes = ['h1:1', 'h1:2', 'h2:1'].map((key) => ({ key, host: key.slice(0, 2) }));
  const targets = new ObservationTargets(nodes as unknown as LayoutNode[]);
  const of = (...subjects: string[]) =>
    Object.fromEntries(targets.of(subjects.map((subject): Waiting => ({ subject, reason: '' }))));
  expect(of('h1:2')).toEqual({ h1: ['h1:2'] });
  expect(of('h2', 'h1:1')).toEqual({ h1: ['h1:1'], h2: ['h2:1'] });
  expect(of('demo', 'h1:1')).toEqual({ h1: ['h1:1', 'h1:2'], h2: ['h2:1'] });
});

test('a ring between two waits is not lost, and rings of one moment are one', async () => {
  const wakeup = new Wakeup();
  wakeup.ring();
  wakeup.ring();
  const begin = performance.now();
  await wakeup.wait(5_000);
  expect(performance.now() - begin).toBeLessThan(1_000);
  const second = wakeup.wait(20);
  await second;
  const third = wakeup.wait(5_000);
  wakeup.ring();
  await third;
  expect(performance.now() - begin).toBeLessThan(2_000);
});
