import { expect, test } from 'vitest';

import { describePlatform, osReleaseField, readDisk, readHostFacts } from './facts.ts';

test('the platform names what a build depends on', () => {
  const debian = { arch: 'x86_64', libc: 'glibc 2.36', os: 'debian 12' };
  expect(describePlatform(debian)).toBe('linux-x86_64-glibc2.36-debian12');
  const alpine = { arch: 'aarch64', libc: 'musl 1.2.4', os: 'alpine 3.19.1' };
  expect(describePlatform(alpine)).toBe('linux-aarch64-musl1.2.4-alpine3.19.1');
});

test('the platform is safe as a part of a directory name, whatever os-release says', () => {
  const odd = { arch: 'x86_64', libc: 'glibc 2.36', os: '../Éa b/c 1' };
  expect(describePlatform(odd)).toMatch(/^[a-z0-9._-]+$/);
});

test('os-release is read with and without quotes', () => {
  const text = 'PRETTY_NAME="Debian GNU/Linux 12"\nID=debian\nVERSION_ID="12"\nX_ID=no\n';
  expect(osReleaseField(text, 'ID')).toBe('debian');
  expect(osReleaseField(text, 'VERSION_ID')).toBe('12');
  expect(osReleaseField(text, 'VERSION')).toBe('');
});

test('a root that is not there yet has the disk of the folder above it', async () => {
  expect((await readDisk('/no/such/folder')).totalBytes).toBe((await readDisk('/')).totalBytes);
});

test('the facts of this machine are those that it has', async () => {
  const facts = await readHostFacts({ rootDirectory: '/no/such', agentVersion: '1.2.3' });
  expect(facts.addresses).toContain('127.0.0.1');
  expect(facts.memoryBytes).toBeGreaterThan(2 ** 26);
  expect(facts.cores).toBeGreaterThan(0);
  expect(facts.platform.startsWith(`linux-${facts.arch}-`)).toBe(true);
  expect(facts).toMatchObject({ root: process.getuid?.() === 0, agentVersion: '1.2.3' });
});
