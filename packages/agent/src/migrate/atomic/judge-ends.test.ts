import { expect, test } from 'vitest';

import { judgeEnds, type Ends } from './judge-ends.ts';

const running: Ends = {
  source: 'running',
  target: 'running',
  sameForMs: 60_000,
  retries: 0,
  ageMs: 60_000,
  deadlineMs: 120_000,
  silenceMs: 10_000,
  replaced: undefined,
};

test.each<[string, Partial<Ends>, string]>([
  ['both at work, however long', {}, 'follow'],
  ['both have it', { source: 'completed', target: 'completed', sameForMs: 0 }, 'completed'],
  ['one is a moment behind', { target: 'completed', sameForMs: 100 }, 'follow'],
  ['one will never follow', { target: 'completed' }, 'completed'],
  ['one was restarted afterwards', { source: 'unknown', target: 'completed' }, 'completed'],
  ['one failed', { target: 'failed' }, 'failed'],
  ['both failed', { source: 'failed', target: 'failed', sameForMs: 0 }, 'failed'],
  ['one failed, the other may begin again', { source: 'failed', sameForMs: 100 }, 'follow'],
  ['one was cancelled', { source: 'cancelled', sameForMs: 0 }, 'cancelled'],
  ['the other takes that for a failure', { source: 'failed', target: 'cancelled' }, 'cancelled'],
  ['one was restarted', { target: 'unknown' }, 'failed'],
  ['one has not heard of it yet', { source: 'unknown', sameForMs: 100 }, 'follow'],
  ['one is silent for a moment', { source: undefined, sameForMs: 9_000 }, 'follow'],
  ['one is silent for long', { source: undefined }, 'failed'],
  [
    'one is silent and replaced',
    { source: undefined, sameForMs: 100, replaced: 'source' },
    'failed',
  ],
  ['it tries for ever', { retries: 4 }, 'failed'],
  ['it takes for ever', { ageMs: 120_001 }, 'failed'],
])('%s', (_, change, kind) => {
  expect(judgeEnds({ ...running, ...change }).kind).toBe(kind);
});
