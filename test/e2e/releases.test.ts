/** Releases as operators handle them: from a file, built on a host, shown, forgotten. */
import { copyFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import { TestStack } from '../support/stack.ts';

interface ReleaseJson {
  readonly name: string;
  readonly sha256: string;
  readonly builtIn: boolean;
  readonly builds: readonly {
    readonly platform: string;
    readonly provenance: {
      readonly builtOnHost: string;
      readonly compiler: string;
      readonly binaries: Readonly<Record<string, string>>;
    };
  }[];
}

let stack: TestStack;

beforeAll(async () => {
  stack = await TestStack.start({ hosts: 2, withRelease: false });
});

afterAll(async () => stack?.stop());

async function releases(...flags: readonly string[]): Promise<readonly ReleaseJson[]> {
  return stack.redroverJson<ReleaseJson[]>(['release', 'ls', ...flags]);
}

describe('a release', () => {
  test('is known by the catalogue before anybody uses it', async () => {
    expect(await releases()).toEqual([]);
    const all = await releases('--all');
    const names = all.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['redis-5.0.3', 'redis-7.0.15', 'valkey-8.0.1']));
    expect(all.every(({ builtIn }) => builtIn)).toBe(true);
  });

  test('is not taken from a file that was cut off', async () => {
    const { name, sha256, archive } = inject('release');
    const copy = join(stack.directory, `${name}.tar.gz`);
    copyFileSync(archive, copy);
    truncateSync(copy, 100_000);
    const { exitCode, stderr } = await stack.redrover(['release', 'add', copy, '--sha256', sha256]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(sha256);
    expect(await releases()).toEqual([]);
  });

  test('is taken from a file with the digest that is expected', async () => {
    const { name, sha256, archive } = inject('release');
    const copy = join(stack.directory, `${name}.tar.gz`);
    copyFileSync(archive, copy);
    const args = ['release', 'add', copy, '--sha256', sha256];
    const added = await stack.redroverJson<ReleaseJson>(args);
    expect(added).toMatchObject({ name, sha256, source: { kind: 'upload' }, builds: [] });
    expect(await stack.redroverJson(args)).toEqual(added);
  });

  test('is built on one host, with provenance', async () => {
    const { name } = inject('release');
    const built = await stack.redrover(['release', 'build', name, '--host', 'h2']);
    expect(built, built.stderr).toMatchObject({ exitCode: 0 });
    expect(built.stdout).toMatch(/redis-server +[0-9a-f]{64}/);
    const shown = await stack.redroverJson<ReleaseJson>(['release', 'show', name]);
    expect(shown.builds).toHaveLength(1);
    expect(shown.builds[0]?.provenance.binaries).toHaveProperty('redis-cli');
    expect((await stack.redrover(['release', 'show', name])).stdout).toContain('Compiler');
    const host = await stack.redrover(['host', 'show', 'h2']);
    expect(host.stdout).toContain(name);
  });

  test('is built on no host that does not exist', async () => {
    const args = ['release', 'build', inject('release').name, '--host', 'h9'];
    const { exitCode, stderr } = await stack.redrover(args);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('h9');
  });

  test('is forgotten when no cluster uses it', async () => {
    const { name } = inject('release');
    expect(await stack.redrover(['release', 'rm', name])).toMatchObject({ exitCode: 0 });
    const again = await stack.redrover(['release', 'rm', name]);
    expect(again.exitCode).toBe(1);
    expect(again.stderr).toContain(name);
  });
});
