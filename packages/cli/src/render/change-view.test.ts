import { expect, test } from 'vitest';

import {
  finding,
  layoutOf,
  nodesOf,
  plannedMove,
  planOf,
  start,
  view,
  viewOf,
} from '../testing/examples.ts';
import { renderPlanned, toChangePlan } from './change-view.ts';

const before = layoutOf([
  'h1:6379 s1 master',
  'h2:6379 s2 master',
  'h2:6380 s1 replica',
  'h1:6380 s2 replica',
]);
const next = layoutOf(
  [
    'h1:6379 s1 master',
    'h2:6379 s2 master',
    'h2:6380 s1 replica',
    'h1:6380 s2 replica',
    'h3:6379 s5 master',
    'h1:6381 s5 replica',
  ],
  {
    number: 3,
    shards: [
      { id: 's1', slots: [{ start: 2731, end: 8191 }] },
      { id: 's2', slots: [{ start: 10_923, end: 16_383 }] },
      {
        id: 's5',
        slots: [
          { start: 0, end: 2730 },
          { start: 8192, end: 10_922 },
        ],
      },
    ],
  },
);
const held: Readonly<Record<string, string>> = { s1: '0-8191', s2: '8192-16383' };
const nodes = nodesOf(before).map((node) => {
  return node.role === 'master' ? { ...node, slots: [held[node.shard] ?? ''] } : node;
});
const now = { nodes, slotsElsewhere: [] };

const moves = [
  plannedMove({ from: 's1', to: 's5', target: 'h3:6379', slots: [{ start: 0, end: 2730 }] }),
  plannedMove({
    from: 's2',
    to: 's5',
    source: 'h2:6379',
    target: 'h3:6379',
    slots: [{ start: 8192, end: 10_922 }],
    largestKey: undefined,
    durationMs: 9_000,
    complete: false,
  }),
];
const plan = planOf(next, {
  reason: 'scale to 3 shards',
  rounds: [[start('h3:6379')]],
  moves,
  findings: [finding({ severity: 'info', rule: 'uneven', message: 'something to know' })],
});

test('nodes, slots, moves, steps and findings are told, each under its name', () => {
  expect(renderPlanned(toChangePlan(plan, now), view).split('\n')).toEqual([
    'shop: scale to 3 shards, layout 3, redis-7.0.15, 3 shards, 3 masters, 3 replicas',
    '',
    'Nodes',
    'SHARD  NODE     NOW            WILL BE',
    's5     h1:6381  not there yet  replica',
    's5     h3:6379  not there yet  master',
    '',
    'Slots',
    'SHARD  SLOTS NOW          SLOTS THEN',
    's1     0-8191 (8192)      2731-8191 (5461)          -2731',
    's2     8192-16383 (8192)  10923-16383 (5461)        -2731',
    's5     (new shard)        0-2730 8192-10922 (5462)  +5462',
    '',
    'Moves',
    'FROM        TO          SLOTS  KEYS    DATA     LARGEST KEY                BLOCKS  TAKES',
    's1 h1:6379  s5 h3:6379  2731   83,333  12 MiB   cart:4711 (hash, 1.2 MiB)  4.2 ms  12 s',
    's2 h2:6379  s5 h3:6379  2731   83,333  ~12 MiB  smaller ones               4.2 ms  9 s',
    'In all 5462 slots, 166,666 keys, about 24 MiB with the migrate engine; predicted to take 16 s.',
    '~ sampled, not every key was looked at: sizes are estimates, and there may be larger keys.',
    '',
    'Steps',
    '   1  start h3:6379',
    '',
    'Findings',
    'info     h3: something to know (uneven)',
    '',
    '1 step to do.',
  ]);
});

test('nothing is wider than the terminal', () => {
  for (const width of [80, 100, 200]) {
    const lines = renderPlanned(toChangePlan(plan, now), viewOf(width)).split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
  }
});

test('a shard that goes is drained, and its nodes are removed', () => {
  const shards = [
    { id: 's1', slots: [{ start: 0, end: 8191 }] },
    { id: 's2', slots: [{ start: 8192, end: 16_383 }] },
  ];
  const held: Readonly<Record<string, readonly string[]>> = {
    s1: ['100-199', '201-8191'],
    s2: ['8192-16383'],
    s5: ['0-99', '200'],
  };
  const all = nodesOf(next).map((node) => {
    return { ...node, slots: node.role === 'master' ? (held[node.shard] ?? []) : [] };
  });
  const shrunk = planOf({ ...before, number: 4, shards }, { rounds: [[start('h1:6379')]] });
  const text = renderPlanned(toChangePlan(shrunk, { nodes: all, slotsElsewhere: [] }), view);
  expect(text.split('\n').slice(2, -5)).toEqual([
    'Nodes',
    'SHARD  NODE     NOW      WILL BE',
    's5     h1:6381  replica  removed',
    's5     h3:6379  master   removed',
    '',
    'Slots',
    'SHARD  SLOTS NOW                SLOTS THEN',
    's1     100-199 201-8191 (8091)  0-8191 (8192)  +101',
    's5     0-99 200 (101)           (removed)      -101',
    '1 other shard not affected.',
  ]);
});

test('slots that a node outside the layout still serves are told under its address', () => {
  const slotsElsewhere = [{ node: '192.0.2.9:6379', slots: ['0-99'], slotCount: 100 }];
  const { slotChanges } = toChangePlan(plan, { nodes, slotsElsewhere });
  expect(slotChanges[0]).toEqual({
    shard: '192.0.2.9:6379',
    now: { slots: ['0-99'], count: 100 },
    next: null,
  });
});

test('what a node of an earlier layout still serves is told under its name, where it is to be moved', () => {
  const slotsElsewhere = [{ node: '192.0.2.9:6379', slots: ['0-99'], slotCount: 100 }];
  const moves = [
    plannedMove({ from: 's4', source: 'h9:6379', slots: [{ start: 0, end: 99 }] }),
    ...plan.moves,
  ];
  const { slotChanges } = toChangePlan({ ...plan, moves }, { nodes, slotsElsewhere });
  expect(slotChanges.find(({ next }) => next === null)?.shard).toBe('s4 h9:6379');
});

test('a critical finding takes the place of the promise of steps', () => {
  const findings = [finding({ severity: 'critical', rule: 'target-memory', message: 'too small' })];
  const text = renderPlanned(toChangePlan({ ...plan, findings }, now), view);
  expect(text).toMatch(/too small \(target-memory\)$/);
});
