/** What operators get wrong: each time the place, what is expected, and nothing is touched. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { TestStack } from '../support/stack.ts';

let stack: TestStack;

beforeAll(async () => {
  stack = await TestStack.start();
});

afterAll(async () => stack?.stop());

const base = (change: string): string =>
  ['name: wrong', 'release: redis-7.0.15', 'shards: 3', 'replicas: 1', change, ''].join('\n');

const pinned = (second: string): string =>
  base(
    [
      'nodes:',
      '  - { host: h1, port: 7001 }',
      `  - ${second}`,
      '  - { host: h2, port: 7001 }',
      '  - { host: h2, port: 7002 }',
      '  - { host: h3, port: 7001 }',
      '  - { host: h3, port: 7002 }',
    ].join('\n'),
  );

describe('a spec that is wrong in itself', () => {
  test.each([
    ['malformed YAML', 'name: wrong\nshards: [3\nreplicas: 1\n', 3, 1, /.+/],
    ['an unknown field', base('colour: red'), 5, 1, /colour.*not a field/],
    ['0 shards', base('').replace('shards: 3', 'shards: 0'), 3, 1, /shards: got 0/],
    ['port 60000', pinned('{ host: h1, port: 60000 }'), 7, 17, /60000.*55535/],
    ['a duplicate port', pinned('{ host: h1, port: 7001 }'), 7, 17, /7001.*another port/],
    ['a tab', 'name: wrong\nplacement:\n\thosts: [h1]\n', 3, 1, /[Tt]ab/],
  ])('%s: shown with line and column, exit code 64', async (_, text, line, column, message) => {
    const file = await stack.writeFile('wrong.yaml', text);
    for (const command of ['plan', 'apply']) {
      const result = await stack.redrover(['cluster', command, '-f', file, '--yes']);
      expect(result.exitCode, result.stderr).toBe(64);
      expect(result.stderr).toContain(`${file}:${line}:${column}: error: `);
      expect(result.stderr).toMatch(message);
      expect(result.stdout).toBe('');
      expect(result.stderr).not.toMatch(/^\s+at /m);
    }
  });

  test('is shown likewise when it comes from stdin', async () => {
    const input = base('colour: red');
    const result = await stack.redrover(['cluster', 'plan', '-f', '-'], { input });
    expect(result.exitCode).toBe(64);
    expect(result.stderr).toContain('<stdin>:5:1: error: ');
    expect(result.stderr).toMatch(/^ +5 \| colour: red$/m);
    expect(result.stderr).toMatch(/^ +\| \^+$/m);
  });

  test('a file that is not there is named', async () => {
    const result = await stack.redrover(['cluster', 'plan', '-f', '/nowhere/spec.yaml']);
    expect(result).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('/nowhere/spec.yaml'),
    });
  });
});

describe('a spec that does not fit what is there', () => {
  test('an unknown host is named, with the hosts that are known', async () => {
    const spec = await stack.writeSpec({ name: 'wrong', placement: { hosts: ['h1', 'h2', 'h9'] } });
    const { exitCode, stdout, stderr } = await stack.redrover(['cluster', 'plan', '-f', spec]);
    expect(exitCode).toBe(1);
    expect(stdout + stderr).toContain('h9');
    expect(stdout + stderr).toMatch(/h1.*h2.*h3/s);
  });

  test('an unknown release is named, with what to do', async () => {
    const spec = await stack.writeSpec({ name: 'wrong', release: 'redis-7.99.9' });
    const { exitCode, stdout, stderr } = await stack.redrover(['cluster', 'plan', '-f', spec]);
    expect(exitCode).toBe(1);
    expect(stdout + stderr).toContain('redis-7.99.9');
    expect(stdout + stderr).toContain('release add');
  });

  test('too few hosts are refused with the reason and what would work', async () => {
    const spec = await stack.writeSpec({ name: 'wrong', placement: { hosts: ['h1', 'h2'] } });
    const { exitCode, stdout } = await stack.redrover(['cluster', 'plan', '-f', spec]);
    expect(exitCode).toBe(1);
    expect(stdout).toContain('no layout');
    expect(stdout).toContain('What would work:');
  });

  test('a risk that is accepted by name makes it a plan', async () => {
    const spec = await stack.writeSpec({ name: 'wrong', placement: { hosts: ['h1', 'h2'] } });
    const args = ['cluster', 'plan', '-f', spec, '--allow-weak-quorum'];
    expect(await stack.redrover(args)).toMatchObject({ exitCode: 2 });
  });

  test('none of all this has created anything', async () => {
    expect(await stack.redroverJson(['cluster', 'ls'])).toEqual([]);
    expect(await stack.redroverJson(['op', 'ls'])).toEqual([]);
  });
});

describe('a release that is wrong', () => {
  test('a hash that is not the file is refused', async () => {
    const archive = join(stack.directory, 'redis-7.0.99.tar.gz');
    writeFileSync(archive, 'not an archive');
    const args = ['release', 'add', archive, '--sha256', 'ab'.repeat(32)];
    const { exitCode, stderr } = await stack.redrover(args);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('ab'.repeat(32));
    expect(JSON.stringify(await stack.redroverJson(['release', 'ls']))).not.toContain('7.0.99');
  });

  test('a file that the catalogue does not know needs its hash', async () => {
    const archive = join(stack.directory, 'redis-7.0.98.tar.gz');
    writeFileSync(archive, 'not an archive');
    const { exitCode, stderr } = await stack.redrover(['release', 'add', archive]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('sha256');
  });

  test.each([
    ['no file', ['release', 'add', './nothing.tar.gz'], /no file/],
    ['no https', ['release', 'add', 'http://example.org/redis-7.0.15.tar.gz'], /https/],
    ['no digest', ['release', 'add', 'apt:redis', '--sha256', 'xyz'], /64 hexadecimal/],
    ['no package', ['release', 'add', 'apt:../redis'], /apt:PACKAGE/],
  ])('%s: exit code 64', async (_, args, message) => {
    const { exitCode, stderr } = await stack.redrover(args);
    expect(exitCode).toBe(64);
    expect(stderr).toMatch(message);
  });
});

describe('a command line that is wrong', () => {
  test.each([
    ['nothing', []],
    ['an unknown command', ['clutser', 'ls']],
    ['an unknown subcommand', ['cluster', 'destroy']],
    ['an unknown option', ['cluster', 'ls', '--frobnicate']],
    ['a missing argument', ['cluster', 'show']],
    ['a missing spec', ['cluster', 'plan']],
    ['an unknown format', ['cluster', 'ls', '-o', 'xml']],
    ['a timeout that is none', ['cluster', 'ls', '--timeout', 'soon']],
    ['too many lines', ['cluster', 'logs', 'x', 'h1:1', '-n', '99999']],
  ])('%s: exit code 64, and nothing on stdout', async (_, args) => {
    const { exitCode, stdout, stderr } = await stack.redrover(args);
    expect(exitCode).toBe(64);
    expect(stdout).toBe('');
    expect(stderr).not.toBe('');
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  test.each([
    ['a cluster', ['cluster', 'show', 'nothing']],
    ['a host', ['host', 'show', 'nothing']],
    ['a release', ['release', 'show', 'redis-9.9.9']],
    ['an operation', ['op', 'show', 'nothing']],
  ])('%s that does not exist: exit code 1', async (_, args) => {
    const { exitCode, stdout, stderr } = await stack.redrover(args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toMatch(/^error: /);
    expect(stderr).toContain(args.at(-1));
  });

  test('help and version are results: stdout, exit code 0', async () => {
    expect(await stack.redrover(['--help'])).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await stack.redrover(['cluster', 'apply', '--help'])).toMatchObject({ exitCode: 0 });
    expect(await stack.redroverJson(['version'])).toEqual({ version: expect.any(String) });
  });
});

describe('a controller that does not answer as wished', () => {
  test('nobody there: exit code 3, and where it was looked for', async () => {
    const args = ['host', 'ls', '--controller', '127.0.0.1:9'];
    const { exitCode, stderr } = await stack.redrover(args);
    expect(exitCode).toBe(3);
    expect(stderr).toContain('127.0.0.1:9');
    expect(stderr).toContain('redrover context ls');
  });

  test('a wrong token: exit code 1, and how to name the right one', async () => {
    const token = await stack.writeFile('token', 'not-the-token-of-this-controller');
    const { exitCode, stderr } = await stack.redrover(['host', 'ls', '--token-file', token]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('--token-file');
  });

  test('a token file that is not there: exit code 1, and which', async () => {
    const { exitCode, stderr } = await stack.redrover(['host', 'ls', '--token-file', '/no/token']);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('/no/token');
  });
});
