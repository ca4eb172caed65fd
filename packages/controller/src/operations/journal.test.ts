import type { MoveReport } from '@redrover/core';
import { pino } from 'pino';
import { expect, test, vi } from 'vitest';

import type { AttemptRecord, OperationRecords } from '../store/operation-records.ts';
import { Journal } from './journal.ts';
import { describeMoved, sumMoved } from './moved-slots.ts';

const MOVE = 'moveSlots h1:6379 > h2:6379 migrate';

/** A store that keeps what is written to it. */
function openJournal(past: ConstructorParameters<typeof Journal>[1] = []) {
  const stored = new Map<number, AttemptRecord['attempt']>();
  const write = (records: readonly AttemptRecord[]): void => {
    for (const { position, attempt } of records) {
      if (attempt === undefined) stored.delete(position);
      else stored.set(position, attempt);
    }
  };
  const records = {
    appendJournal: async (written: readonly AttemptRecord[]) => write(written),
  } as unknown as OperationRecords;
  const journal = new Journal('op-1', past, { records, log: pino({ level: 'silent' }) });
  const inOrder = () => [...stored].sort(([a], [b]) => a - b).map(([, attempt]) => attempt);
  return { journal, write, inOrder };
}

function reportOf(slot: number): MoveReport {
  const quarantined = [{ slot, rule: 'r', message: '', evidence: [], remedy: '' }];
  const counts = { slotsMoved: 1, keysMoved: 10, bytesMoved: 100, blockedMs: slot };
  return { engine: 'migrate', ...counts, quarantined, notes: ['said each time'] };
}

function tryToMove(journal: Journal, times: number, from = 0): void {
  for (let at = from; at < from + times; at += 1) {
    const position = journal.begin(MOVE);
    journal.end(position, { errorCode: 'unavailable', message: `try ${at}`, move: reportOf(at) });
  }
}

test('moves that are tried for days take no more room than those of an hour, and forget nothing', () => {
  vi.useFakeTimers();
  try {
    const { journal, write, inOrder } = openJournal();
    journal.end(journal.begin('startNode h2:6379'), { errorCode: undefined, message: '' });
    tryToMove(journal, 500);
    const { history } = journal;
    expect(history).toHaveLength(21);
    expect(history[0]?.stepKey).toBe('startNode h2:6379');
    expect(history.slice(2).map(({ message }) => message)).toEqual(
      Array.from({ length: 19 }, (_, at) => `try ${481 + at}`),
    );
    expect(sumMoved(history)).toEqual({ slots: 500, keys: 5000, bytes: 50_000 });
    expect(history[1]?.move).toMatchObject({ blockedMs: 480, notes: ['said each time'] });
    expect(history[1]?.move?.quarantined.map(({ slot }) => slot)).toEqual(
      Array.from({ length: 481 }, (_, at) => at),
    );
    write(journal.takeUnwritten());
    expect(inOrder()).toEqual(history);
  } finally {
    vi.useRealTimers();
  }
});

test('a journal with gaps goes on where it was after a restart', () => {
  vi.useFakeTimers();
  try {
    const before = openJournal();
    tryToMove(before.journal, 40);
    // What a dead controller left.
    before.journal.begin(MOVE);
    const after = openJournal(before.journal.entries);
    tryToMove(after.journal, 40, 40);
    expect(after.journal.history).toHaveLength(20);
    expect(sumMoved(after.journal.history).slots).toBe(80);
    expect(after.journal.history.at(-1)?.message).toBe('try 79');
    expect(describeMoved(after.journal.history)).toBe(
      '80 slots with 800 keys had been moved and stay where they are now',
    );
  } finally {
    vi.useRealTimers();
  }
});

test('where nothing was moved, nothing is said of it', () => {
  const { journal } = openJournal();
  expect(describeMoved(journal.history)).toBe('');
});

test('a move that ended before anybody heard of it counts like the others', async () => {
  const { journal, inOrder } = openJournal();
  tryToMove(journal, 2);
  const [first] = journal.history;
  if (first === undefined) throw new Error('nothing was tried');
  const position = journal.add({ ...first, message: 'x'.repeat(5_000), move: reportOf(7) });
  expect(journal.at(position).message).toHaveLength(1_000);
  expect(sumMoved(journal.history).slots).toBe(3);
  await journal.flush();
  expect(inOrder()).toEqual(journal.history);
});
