import { expect, test } from 'vitest';

import {
  installAdvice,
  installCommands,
  missingTools,
  packagesFor,
  type Tools,
} from './toolchain-plan.ts';

const nothing: Tools = {
  cc: false,
  cxx: false,
  make: false,
  libcHeaders: false,
  opensslHeaders: false,
  xz: false,
};
const redis7 = { product: 'redis' as const, version: '7.0.15' };
const redis8 = { product: 'redis' as const, version: '8.0.6' };

test('a bare host lacks compiler, make and headers; C++ only for releases that have some', () => {
  const archive = { xz: false, tls: true };
  expect(missingTools(nothing, redis7, archive)).toEqual([
    'cc',
    'make',
    'libcHeaders',
    'opensslHeaders',
  ]);
  expect(missingTools(nothing, redis8, archive)).toContain('cxx');
  expect(missingTools(nothing, redis7, { xz: true, tls: false })).toContain('xz');
});

test('a host that has everything lacks nothing', () => {
  const all = Object.fromEntries(Object.keys(nothing).map((tool) => [tool, true]));
  expect(missingTools(all as unknown as Tools, redis8, { xz: true, tls: true })).toEqual([]);
});

test('packages are named as each manager names them', () => {
  expect(packagesFor('apt-get', ['cc', 'cxx', 'opensslHeaders'])).toEqual([
    'gcc',
    'g++',
    'libssl-dev',
  ]);
  expect(packagesFor('dnf', ['cxx', 'opensslHeaders'])).toEqual(['gcc-c++', 'openssl-devel']);
});

test('apt is updated first and never asks', () => {
  const [update, install] = installCommands('apt-get', ['make']);
  expect(update).toEqual(['apt-get', 'update']);
  expect(install).toContain('-y');
  expect(installCommands('yum', ['make'])).toEqual([['yum', 'install', '-y', 'make']]);
});

test('a person is given one command to copy', () => {
  expect(installAdvice('apt-get', ['cc', 'make'])).toBe('run: sudo apt-get install -y gcc make');
  expect(installAdvice(undefined, ['make'])).toContain('install make');
});
