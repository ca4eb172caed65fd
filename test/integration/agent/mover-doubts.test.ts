/** Keys that were sent without an answer: whose copy counts, by what became of the source meanwhile. */
import { afterEach, beforeEach, expect, inject, test } from 'vitest';

import { BareCluster, PASSWORD } from '../../support/migration/bare-cluster.ts';
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

async function restartSource(change: () => Promise<void> = async () => {}): Promise<void> {
  await cluster.kill('s');
  await change();
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
  cluster.signal('t', 'SIGCONT');
  const { report } = await staged.outcome;
  expect(report.quarantined).toMatchObject([{ slot: SLOT, rule: 'key-differs' }]);
  expect(report.quarantined[0]?.message).toContain(KEY);
  expect(await valueAt('t')).toBe('second');
  expect(await valueAt('s')).toBe('first');
});

test('the source was restarted and has lost nothing: its move goes on', async () => {
  const staged = await sendWithoutAnswer();
  await restartSource();
  cluster.signal('t', 'SIGCONT');
  expect(await staged.outcome).toMatchObject({ ending: 'done', report: { quarantined: [] } });
  expect(await cluster.count('t', SLOT)).toBe(KEYS);
});

test('somebody else has sent them: equal copies are replaced, and others left to a person', async () => {
  // As a mover does that dies then.
  await cluster.set('t', SLOT, 'IMPORTING', cluster.id('s'));
  await cluster.set('s', SLOT, 'MIGRATING', cluster.id('t'));
  const keys = Array.from({ length: KEYS }, (_, n) => `{cv}${n}`);
  cluster.signal('t', 'SIGSTOP');
  const { target } = cluster.step('s', 't', SLOT);
  const at = [target.address, target.port, '', 0, 300, 'AUTH', PASSWORD] as const;
  await expect(cluster.call('s', 'MIGRATE', ...at, 'KEYS', ...keys)).rejects.toThrow('IOERR');
  cluster.signal('t', 'SIGCONT');
  await until('the keys to have arrived', async () => (await cluster.count('t', SLOT)) === KEYS);
  await cluster.call('s', 'SET', KEY, 'second');
  move = new StagedMove(cluster.step('s', 't', SLOT));
  const { report } = await move.outcome;
  expect(report.quarantined).toMatchObject([{ slot: SLOT, rule: 'key-differs' }]);
  expect(await valueAt('s')).toBe('second');
});
