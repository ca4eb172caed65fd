import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

import { readSourceArgument } from './release-source.ts';

test.each([
  [
    'https://example.org/redis-7.0.15.tar.gz',
    { kind: 'https', url: 'https://example.org/redis-7.0.15.tar.gz' },
  ],
  ['apt:redis', { kind: 'apt', package: 'redis', suite: '' }],
  ['apt:valkey@sid', { kind: 'apt', package: 'valkey', suite: 'sid' }],
])('%s is a source elsewhere', (text, source) => {
  expect(readSourceArgument(text)).toEqual({ kind: 'remote', source });
});

test.each(['redis.tar.gz', 'file:redis.tar.gz'])('%s is a file here', (text) => {
  const directory = mkdtempSync(join(tmpdir(), 'redrover-source-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, 'redis.tar.gz'), 'abc');
  const path = text.replace('redis.tar.gz', join(directory, 'redis.tar.gz'));
  expect(readSourceArgument(path)).toMatchObject({
    kind: 'file',
    fileName: 'redis.tar.gz',
    sizeBytes: 3,
  });
});

test.each([
  ['http://example.org/a.tar.gz', /not encrypted/],
  ['apt:', /apt:PACKAGE/],
  ['apt:a b', /apt:PACKAGE/],
  ['./nothing-here.tar.gz', /no file/],
  ['/tmp', /not a file/],
])('%s is refused', (text, message) => {
  expect(() => readSourceArgument(text)).toThrow(message);
});
