import { describe, expect, test } from 'vitest';

import { decideStart, type StartFacts } from './stale-master.ts';

/** A master with a replica and slots that crashed, and whose AOF is gone. */
const DANGEROUS: StartFacts = {
  identity: 'kept',
  directory: '/usr/local/redis/6379',
  cluster: 'shop',
  wasMaster: true,
  slots: [{ start: 0, end: 5460 }],
  replicas: ['10.0.0.2:6379'],
  cleanStop: false,
  aofComplete: false,
  aofProblem: 'appendonly is not yes',
  aofAlwaysSynced: false,
  rebooted: false,
  superseded: false,
  released: false,
  heldMs: 0,
  nodeTimeoutMs: 5_000,
};

const verdict = (change: Partial<StartFacts>) => decideStart({ ...DANGEROUS, ...change }).kind;

describe('a master that crashed and has no complete AOF', () => {
  test('is held, with the slots, the replicas and what to do', () => {
    const decision = decideStart(DANGEROUS);
    expect(decision).toMatchObject({ kind: 'hold' });
    expect(decision.kind === 'hold' && decision.reason).toMatch(
      /slots 0-5460.*appendonly is not yes.*10\.0\.0\.2:6379.*release-node/,
    );
  });

  test('stays held however long it takes', () => {
    expect(verdict({ heldMs: 10 ** 9 })).toBe('hold');
  });

  test.each<[string, Partial<StartFacts>]>([
    ['was a replica', { wasMaster: false }],
    ['had no replicas', { replicas: [] }],
    ['had no slots', { slots: [] }],
    ['was stopped cleanly', { cleanStop: true }],
    ['another node owns its slots', { superseded: true }],
    ['a person released it', { released: true }],
    ['the AOF is complete after all', { aofComplete: true }],
  ])('starts if it %s', (_, change) => {
    expect(verdict(change)).toBe('start');
  });
});

describe('a master with a complete AOF after a reboot', () => {
  const rebooted = { aofComplete: true, rebooted: true };

  test('waits for the failover that a second of lost writes is worth, then starts', () => {
    expect(verdict({ ...rebooted, heldMs: 0 })).toBe('hold');
    expect(verdict({ ...rebooted, heldMs: 14_999 })).toBe('hold');
    expect(verdict({ ...rebooted, heldMs: 15_000 })).toBe('start');
  });

  test('starts at once if every write was synced', () => {
    expect(verdict({ ...rebooted, aofAlwaysSynced: true })).toBe('start');
  });
});
