import { describe, expect, test } from 'vitest';

import { parseSourceIndex } from './source-index.ts';
import { deriveSources } from './sources-list.ts';

const deb822 = {
  name: '/etc/apt/sources.list.d/debian.sources',
  content: `# the archive
Types: deb
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Architectures: amd64
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBGPL0BUBEADmW5NdOOHwPIJlgPu6JDcKw/NZJPR8lsD3K87ZM18gzyQZJD+w
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: https://vendor.example/apt
Suites: vendor-bookworm
Components: main

Enabled: no
Types: deb
URIs: http://old.example/debian
Suites: bookworm
Components: main
`,
};

const oneLine = {
  name: '/etc/apt/sources.list',
  content: `# deb http://commented.example/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib # why
deb-src http://mirror.example/debian bookworm main
deb cdrom:[Debian]/ bookworm contrib
`,
};

describe('the private sources', () => {
  test("are the host's own suite with updates and security, signed as the system's are", () => {
    const { deb822: text, oneLine: lines } = deriveSources([deb822], {
      codename: 'bookworm',
      suite: '',
    });
    expect(lines).toBe('');
    expect(text).toBe(`types: deb-src
suites: bookworm bookworm-updates
uris: http://mirror.example/debian
components: main contrib
signed-by: /usr/share/keyrings/debian-archive-keyring.gpg

types: deb-src
suites: bookworm-security
uris: http://mirror.example/debian-security
components: main
signed-by: ${''}
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBGPL0BUBEADmW5NdOOHwPIJlgPu6JDcKw/NZJPR8lsD3K87ZM18gzyQZJD+w
 -----END PGP PUBLIC KEY BLOCK-----
`);
  });

  test('are read from the one-line format too', () => {
    const derived = deriveSources([oneLine], { codename: 'bookworm', suite: '' });
    expect(derived).toEqual({
      deb822: '',
      oneLine: `deb-src [signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib
deb-src http://mirror.example/debian bookworm main
`,
    });
  });

  test("take another suite from the archive that serves the host's own", () => {
    const { deb822: text } = deriveSources([deb822], { codename: 'bookworm', suite: 'sid' });
    expect(text).toContain('suites: sid\nuris: http://mirror.example/debian\n');
    expect(text).not.toContain('security');
    expect(text).not.toContain('vendor');
    expect(text).not.toContain('old.example');
  });

  test('take a suite that the system names from where it names it', () => {
    const { deb822: text } = deriveSources([deb822], {
      codename: 'bookworm',
      suite: 'bookworm-security',
    });
    expect(text.match(/^uris: .*$/gm)).toEqual(['uris: http://mirror.example/debian-security']);
  });

  test('are empty where the system has no such archive', () => {
    const wanted = { codename: '', suite: 'sid' };
    expect(deriveSources([], wanted)).toEqual({ deb822: '', oneLine: '' });
  });
});

describe('the source index', () => {
  const stanza = (name: string, version: string, files: string): string =>
    `Package: ${name}\nVersion: ${version}\nFormat: 3.0 (quilt)\nChecksums-Sha256:\n${files}Homepage: https://redis.io/\n`;
  const digest = (character: string): string => character.repeat(64);
  const orig = ` ${digest('a')} 1960 redis_7.0.15-1.dsc
 ${digest('b')} 3025940 redis_7.0.15.orig.tar.gz
 ${digest('c')} 45456 redis_7.0.15-1.debian.tar.xz
`;

  test("names the project's archive, not the distribution's patches", () => {
    expect(parseSourceIndex(stanza('redis', '5:7.0.15-1~deb12u7', orig), 'redis')).toEqual([
      {
        packageVersion: '5:7.0.15-1~deb12u7',
        version: '7.0.15',
        fileName: 'redis_7.0.15.orig.tar.gz',
        sha256: digest('b'),
      },
    ]);
  });

  test.each([
    ['1:8.1.1+dfsg1-3+deb13u2', '8.1.1'],
    ['9.1.2-1', '9.1.2'],
    ['5:8.0~rc1-1', '8.0'],
  ])('%s is version %s of the project', (packageVersion, version) => {
    const [archive] = parseSourceIndex(stanza('redis', packageVersion, orig), 'redis');
    expect(archive?.version).toBe(version);
  });

  test('is read stanza by stanza, and only of the package that was asked for', () => {
    const text = [stanza('redis', '7.0-1', orig), stanza('redis-extra', '1-1', orig)].join('\n');
    expect(parseSourceIndex(text, 'redis')).toHaveLength(1);
    expect(parseSourceIndex('', 'redis')).toEqual([]);
    expect(
      parseSourceIndex(stanza('redis', '1-1', ` ${digest('a')} 1 redis_1.dsc\n`), 'redis'),
    ).toEqual([]);
  });
});
