/** Keys that were sent without an answer: whose copy counts, by what became of the source meanwhile. */
import { afterEach, beforeEach, expect, inject, test } from 'vitest';

import { BareCluster } from '../../support/migration/bare-cluster.ts';
import { StagedMove } from '../../support/migration/staged-move.ts';
import { until } from '../../support/until.ts';

type Name = 's' | 't' | 'w1' | 'w2';

/** Of tag `cv`. */
const SLOT = 40;
const KEYS = 50;
const KEY = '{cv}7';

let cluster: BareCluster<Name>;
let move: StagedMove | undefined;

beforeEach(async () => {
  const release = inject('release');
  cluster = await BareCluster.start<Name>({ release, masters: ['s', 't', 'w1', 'w2'] });
  for (let n = 0; n < KEYS; n += 1) await cluster.call('s', 'SET', `{cv}${n}`, 'first');
});
afterEach(async () => {
  const moving = move?.stop();
  move = undefined;
  await cluster?.stop();
  await moving;
});

/** The target hangs while keys are on their way to it: it takes them when it goes on, and nobody is told. */
async function sendWithoutAnswer(): Promise<StagedMove> {
  const staged = new StagedMove(cluster.step('s', 't', SLOT), {
    onFirst: ['moveKeys', () => cluster.signal('t', 'SIGSTOP')],
  });
  move = staged;
  await until('an IOERR', async () =>
    String(await cluster.call('s', 'INFO', 'errorstats')).includes('errorstat_IOERR'),
  );
  expect(await cluster.count('s', SLOT)).toBe(KEYS);
  return staged;
}

/** While it is away, the target goes on, and takes what was sent. */
async function restartSource(change: () => Promise<void> = async () => {}): Promise<void> {
  await cluster.kill('s');
  await change();
  cluster.signal('t', 'SIGCONT');
  await until('the keys to have arrived', async () => (await cluster.count('t', SLOT)) === KEYS);
  await cluster.start('s');
}

async function valueAt(name: Name): Promise<unknown> {
  return cluster.asking(name, 'get', KEY);
}

test('the source lives on: its copy replaces what had arrived', async () => {
  const staged = await sendWithoutAnswer();
  await cluster.call('s', 'SET', KEY, 'second');
  cluster.signal('t', 'SIGCONT');
  expect(await staged.outcome).toMatchObject({ ending: 'done', report: { quarantined: [] } });
  expect(await valueAt('t')).toBe('second');
  expect(await cluster.count('t', SLOT)).toBe(KEYS);
});

test('the source was restarted and lacks what it had written last: the newer copy is not replaced', async () => {
  await cluster.keepAof('s');
  await cluster.call('s', 'SET', KEY, 'second');
  const staged = await sendWithoutAnswer();
  await restartSource(() => cluster.restoreAof('s'));
  const { ending, report } = await staged.outcome;
  const differs = [expect.objectContaining({ slot: SLOT, rule: 'key-differs' })];
  // A source that is not serving yet may end the task: then it is the next one that finds it.
  expect(report.quarantined).toEqual(ending === 'done' ? differs : []);
  expect(await valueAt('t')).toBe('second');
  expect(await valueAt('s')).toBe('first');
});

test('the source was restarted and has lost nothing: its move goes on', async () => {
  const staged = await sendWithoutAnswer();
  await restartSource();
  expect(await staged.outcome).toMatchObject({ ending: 'done', report: { quarantined: [] } });
  expect(await cluster.count('t', SLOT)).toBe(KEYS);
});
