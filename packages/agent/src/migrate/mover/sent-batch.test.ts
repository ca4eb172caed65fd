import { resolveLimits, DEFAULT_MOVE_OPTIONS } from '@redrover/core';
import { expect, it } from 'vitest';
import { encodeList } from '../link/resp-command.ts';
import { ReplyFault } from '../link/resp-parser.ts';
import { codeOfTarget, migrateCommand, takeTogether, textOfTarget } from './sent-batch.ts';
import { SlotMemory } from './slot-memory.ts';

const memories = [0, 1, 2].map((slot) => new SlotMemory(slot));
const batchOf = (index: number, bytes: number) => ({
  keys: encodeList([Buffer.from('a'), Buffer.from([0, 255])]),
  bytes,
  memory: memories[index]!,
});

it('takes batches of several slots together, up to the size of one', () => {
  const batches = [batchOf(0, 40), batchOf(1, 40), batchOf(2, 40)];
  expect(takeTogether(batches, 100)).toEqual(batches.slice(0, 2));
  expect(takeTogether(batches, 1_000)).toEqual(batches);
});

it('takes the first one whatever its size, and none beside one of its own slot', () => {
  expect(takeTogether([batchOf(0, 500), batchOf(1, 1)], 100)).toHaveLength(1);
  expect(takeTogether([batchOf(0, 1), batchOf(0, 1), batchOf(1, 1)], 100)).toHaveLength(1);
  expect(takeTogether([], 100)).toEqual([]);
});

it('replaces only where that was allowed, and passes names on as they came', () => {
  const target = { node: 'h2:7001', nodeId: 'id', address: '127.0.0.2', port: 7001 };
  const limits = resolveLimits(DEFAULT_MOVE_OPTIONS, 5_000);
  const to = { target, password: 'p', limits };
  const words = (command: Buffer) => command.toString('latin1').split('\r\n');
  const plain = words(migrateCommand(batchOf(0, 1), to));
  expect(plain.slice(0, 3)).toEqual(['*11', '$7', 'MIGRATE']);
  expect(plain).not.toContain('REPLACE');
  expect(plain).toContain('\u0000\u00ff');
  expect(words(migrateCommand({ ...batchOf(0, 1), mayReplace: true }, to))).toContain('REPLACE');
});

it('tells what the target said from what the source says', () => {
  const passedOn = new ReplyFault('ERR Target instance replied with error: -BUSYKEY Target key');
  expect(codeOfTarget(passedOn)).toBe('BUSYKEY');
  expect(textOfTarget(passedOn)).toBe('BUSYKEY Target key');
  expect(codeOfTarget(new ReplyFault('IOERR error or timeout'))).toBeUndefined();
});
