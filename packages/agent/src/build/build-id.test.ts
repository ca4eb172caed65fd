import type { Build } from '@redrover/core';
import { expect, test } from 'vitest';

import { computeBuildId, parseBuild } from './build-id.ts';

const identity = {
  sourceSha256: 'a'.repeat(64),
  platform: 'linux-x86_64-glibc2.36-debian12',
  flags: ['MALLOC=jemalloc', 'BUILD_TLS=yes'],
};

const build: Build = {
  id: computeBuildId(identity),
  release: 'redis-7.0.15',
  platform: identity.platform,
  provenance: {
    sourceSha256: identity.sourceSha256,
    sourceLocation: 'apt:redis',
    compiler: 'cc (Debian 12.2.0-14) 12.2.0',
    flags: identity.flags,
    builtOnHost: 'h1',
    builtAtMs: 1,
    durationMs: 2,
    binaries: { 'redis-server': 'b'.repeat(64) },
  },
};

test('the id follows from source, platform and flags, and from nothing else', () => {
  expect(computeBuildId(identity)).toMatch(/^[0-9a-f]{64}$/);
  expect(computeBuildId({ ...identity })).toBe(build.id);
  for (const change of [
    { sourceSha256: 'b'.repeat(64) },
    { platform: 'linux-aarch64-glibc2.36-debian12' },
    { flags: ['MALLOC=jemalloc'] },
    { flags: ['MALLOC=jemalloc BUILD_TLS=yes'] },
  ]) {
    expect(computeBuildId({ ...identity, ...change })).not.toBe(build.id);
  }
});

test('provenance is read back as it was written', () => {
  expect(parseBuild(JSON.stringify(build), 'p')).toEqual(build);
});

test.each([
  ['', 'is not JSON'],
  ['{"id":1}', 'does not describe a build'],
  ['[]', 'does not describe a build'],
  [JSON.stringify({ ...build, platform: 'other' }), 'its source, platform and flags make'],
  [
    JSON.stringify({ ...build, provenance: { ...build.provenance, binaries: { '../x': 'c' } } }),
    'does not describe a build',
  ],
])('provenance that is damaged is refused (%#)', (text, message) => {
  expect(() => parseBuild(text, 'p')).toThrow(message);
});
