import { describe, expect, test } from 'vitest';

import { buildFlags, needsCxx, parseCompiler } from './build-flags.ts';
import { findRelease, listReleases } from './catalogue.ts';
import { parseReleaseName, releaseFromFileName } from './release-name.ts';

const gcc12 = 'cc (Debian 12.2.0-14+deb12u1) 12.2.0';
const gcc9 = 'gcc (Ubuntu 9.4.0-1ubuntu1~20.04.2) 9.4.0';
const clang14 = 'Debian clang version 14.0.6';

describe('the catalogue', () => {
  test('knows a release with its official URL and published digest', () => {
    expect(findRelease('redis-7.0.15')).toEqual({
      name: 'redis-7.0.15',
      product: 'redis',
      version: '7.0.15',
      source: { kind: 'https', url: 'https://download.redis.io/releases/redis-7.0.15.tar.gz' },
      sha256: '98066f5363504b26c34dd20fbcc3c957990d764cdf42576c836fc021073f4341',
    });
  });

  test('holds Redis from 5.0.0 on and Valkey, each with a whole digest and a https URL', () => {
    const releases = listReleases();
    expect(releases[0]?.name).toBe('redis-5.0.0');
    expect(releases.some(({ product }) => product === 'valkey')).toBe(true);
    for (const { name, sha256, source } of releases) {
      expect(parseReleaseName(name).name).toBe(name);
      expect(sha256).toMatch(/^[0-9a-f]{64}$/);
      expect(source.kind === 'https' && source.url).toMatch(/^https:\/\//);
    }
  });

  test('leaves out a release that was published with two digests', () => {
    expect(findRelease('valkey-8.0.4')).toBeUndefined();
    expect(findRelease('valkey-8.0.5')).toBeDefined();
  });
});

describe('names of releases', () => {
  test.each([
    ['redis-7.0.15.tar.gz', 'redis-7.0.15'],
    ['/srv/dist/redis-6.2.14.tgz', 'redis-6.2.14'],
    ['redis_7.0.15.orig.tar.gz', 'redis-7.0.15'],
    ['valkey_8.1.1+dfsg1.orig.tar.xz', 'valkey-8.1.1'],
    ['valkey-9.0.0-rc1.tar.gz', 'valkey-9.0.0-rc1'],
  ])('%s is the archive of %s', (fileName, name) => {
    expect(releaseFromFileName(fileName)?.name).toBe(name);
  });

  test.each(['7.0.15.tar.gz', 'redis-stable.tar.gz', 'redis-7.0.15.zip', 'redis.tar.gz', ''])(
    '"%s" does not tell a release',
    (fileName) => {
      expect(releaseFromFileName(fileName)).toBeUndefined();
    },
  );

  test.each(['redis', 'redis-7', 'redis-7.0', 'keydb-6.0.0', '../redis-7.0.15', 'redis-7.0.15/x'])(
    '"%s" is refused as the name of a release',
    (name) => {
      expect(() => parseReleaseName(name)).toThrow(/is not the name of a release/);
    },
  );
});

describe('flags', () => {
  const redis = (version: string) => ({ product: 'redis' as const, version });

  test('Redis 5 has no TLS and needs common symbols from GCC 10 on', () => {
    expect(buildFlags(redis('5.0.3'), gcc12).makeArguments).toEqual([
      'MALLOC=jemalloc',
      'REDIS_CFLAGS=-fcommon',
    ]);
    expect(buildFlags(redis('5.0.3'), gcc9).makeArguments).toEqual(['MALLOC=jemalloc']);
  });

  test('Redis 6.0 has TLS and still needs common symbols', () => {
    expect(buildFlags(redis('6.0.16'), clang14).makeArguments).toEqual([
      'MALLOC=jemalloc',
      'BUILD_TLS=yes',
      'USE_SYSTEMD=no',
      'REDIS_CFLAGS=-fcommon',
    ]);
  });

  test('later releases need nothing but TLS', () => {
    const wanted = ['MALLOC=jemalloc', 'BUILD_TLS=yes', 'USE_SYSTEMD=no'];
    expect(buildFlags(redis('7.0.15'), gcc12).makeArguments).toEqual(wanted);
    expect(buildFlags({ product: 'valkey', version: '7.2.5' }, gcc12).makeArguments).toEqual(
      wanted,
    );
  });

  test('without the OpenSSL headers TLS is left out', () => {
    const { makeArguments } = buildFlags(redis('7.0.15'), gcc12, { tls: false });
    expect(makeArguments).not.toContain('BUILD_TLS=yes');
  });

  test('C++ is needed since fast_float came in', () => {
    expect(needsCxx(redis('7.4.2'))).toBe(false);
    expect(needsCxx(redis('8.0.0'))).toBe(true);
    expect(needsCxx({ product: 'valkey', version: '8.0.1' })).toBe(false);
    expect(needsCxx({ product: 'valkey', version: '8.1.0' })).toBe(true);
  });

  test.each([
    [gcc12, 'gcc', 12],
    [gcc9, 'gcc', 9],
    [clang14, 'clang', 14],
    ['gcc (GCC) 4.8.5 20150623 (Red Hat 4.8.5-44)', 'gcc', 4],
    ['tcc version unknown', 'unknown', undefined],
  ])('reads "%s"', (line, family, major) => {
    expect(parseCompiler(line)).toEqual({ family, major });
  });
});
