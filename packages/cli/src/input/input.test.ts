import { InvalidArgumentError } from 'commander';
import { describe, expect, test } from 'vitest';

import { parseLatencyMs, parseRate, parseSize, parseWholeNumber } from './amounts.ts';
import { parseSlotList } from './slot-list.ts';
import { parseWeights } from './weights.ts';

function complaint(parse: () => unknown): string {
  try {
    const parsed = parse();
    return `parsed: ${JSON.stringify(parsed)}`;
  } catch (thrown) {
    if (thrown instanceof InvalidArgumentError) return thrown.message;
    throw thrown;
  }
}

describe('slots', () => {
  test.each([
    ['0-99,200', '0-99 200'],
    ['200 0-99', '0-99 200'],
    ['5,4,3', '3-5'],
    ['16383', '16383'],
    [' 1 , 2 ', '1-2'],
  ])('%j are read', (text, shown) => {
    const ranges = parseSlotList(text).map(({ start, end }) =>
      start === end ? `${start}` : `${start}-${end}`,
    );
    expect(ranges.join(' ')).toBe(shown);
  });

  test.each([
    ['16384', 'there is no slot 16384; expected slots from 0 to 16383'],
    ['0-16384', 'there is no slot 16384;'],
    ['99-0', 'the range 99-0 ends before it starts; write the lower slot first: 0-99.'],
    ['0-99,50', 'slot 50 is named twice, in 0-99 and in 50; name each slot once.'],
    ['0-99,90-120', 'slot 90 is named twice, in 0-99 and in 90-120'],
    ['7,7', 'slot 7 is named twice, in 7 and in 7'],
    ['', 'it is empty;'],
    [',', 'it is empty;'],
    ['-5', 'got "-5"; expected slots from 0 to 16383 and ranges of them, such as 0-99,200.'],
    ['1-', 'got "1-";'],
    ['0x10', 'got "0x10";'],
    ['1.5', 'got "1.5";'],
    ['all', 'got "all";'],
    ['1-2-3', 'got "1-2-3";'],
    ['99999999999', 'got "99999999999";'],
  ])('%j are refused', (text, message) => {
    expect(complaint(() => parseSlotList(text))).toContain(message);
  });

  test('the option twice adds, and still finds what is named twice', () => {
    const first = parseSlotList('0-9');
    expect(parseSlotList('20', first)).toHaveLength(2);
    expect(complaint(() => parseSlotList('5', first))).toContain('slot 5 is named twice');
  });
});

describe('weights', () => {
  test('are read by shard', () => {
    expect(parseWeights('s1=2,s4=0.5')).toEqual({ s1: 2, s4: 0.5 });
    expect(parseWeights('s2=0', { s1: 2 })).toEqual({ s1: 2, s2: 0 });
  });

  test.each([
    ['s1', 'got "s1"; expected shards with their weights, such as s1=2,s4=0.5.'],
    ['s1=', 'the weight of s1 is "";'],
    ['s1=-1', 'the weight of s1 is "-1"; expected a number from 0 (no slots) on, such as 0.5.'],
    ['s1=two', 'the weight of s1 is "two";'],
    ['s1=1e9', 'the weight of s1 is "1e9";'],
    ['s1=Infinity', 'the weight of s1 is "Infinity";'],
    ['s1=1,s1=2', 'shard s1 is named twice; give it one weight.'],
    ['', 'it is empty;'],
    ['__proto__=1', 'got "__proto__=1"'],
  ])('%j are refused', (text, message) => {
    expect(complaint(() => parseWeights(text))).toContain(message);
  });
});

describe('amounts', () => {
  test.each([
    ['5ms', 5],
    ['1MS', 1],
    ['0.25s', 250],
    ['1s', 1000],
    ['50 ms', 50],
  ])('a latency of %j is %d ms', (text, latencyMs) => {
    expect(parseLatencyMs(text)).toBe(latencyMs);
  });

  test.each([
    ['5', 'it has no unit; expected whole milliseconds from 1ms to 1000ms, such as 5ms.'],
    ['5us', 'the unit "us" is unknown (ms and s are known);'],
    ['0ms', 'expected whole milliseconds'],
    ['0.5ms', 'expected whole milliseconds'],
    ['2s', 'expected whole milliseconds'],
    ['fast', 'expected whole milliseconds'],
    ['-5ms', 'expected whole milliseconds'],
    ['', 'expected whole milliseconds'],
  ])('a latency of %j is refused', (text, message) => {
    expect(complaint(() => parseLatencyMs(text))).toContain(message);
  });

  test.each([
    ['20mb/s', 20 * 1024 ** 2],
    ['512KB/s', 512 * 1024],
    ['10kb/s', 10_240],
  ])('a rate of %j is %s bytes a second', (text, bytesPerS) => {
    expect(parseRate(text)).toBe(bytesPerS);
  });

  test.each([
    ['20mb', 'expected a size a second of 10kb/s or more, such as 20mb/s.'],
    ['20mbit/s', 'the unit "mbit" is unknown (known are b, kb, mb and gb, or k, m and g for'],
    ['20mb/min', 'expected a size a second'],
    ['10k/s', 'Leave it out to set no limit.'],
    ['0mb/s', 'Leave it out to set no limit.'],
    ['-1mb/s', 'expected a size a second'],
    ['/s', 'expected a size a second'],
  ])('a rate of %j is refused', (text, message) => {
    expect(complaint(() => parseRate(text))).toContain(message);
  });

  test.each([
    ['64mb', 64 * 1024 ** 2],
    ['1', 1],
  ])('a size of %j is %d bytes', (text, sizeBytes) => {
    expect(parseSize(text)).toBe(sizeBytes);
  });

  test.each([
    ['0', 'expected a size of 1b or more, such as 64mb.'],
    ['64tb', 'the unit "tb" is unknown'],
    ['1.5mb', 'expected a size of 1b or more'],
    ['big', 'expected a size of 1b or more'],
  ])('a size of %j is refused', (text, message) => {
    expect(complaint(() => parseSize(text))).toContain(message);
  });

  test.each(['0', '-1', '1.5', '1001', 'four', '', '1e2'])('%j shards are refused', (text) => {
    expect(complaint(() => parseWholeNumber(1, 1000)(text))).toBe(
      'expected a whole number from 1 to 1000.',
    );
  });
});
