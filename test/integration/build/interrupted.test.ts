// Agents that are killed while they build: what they leave is put right by the next one.
import { mkdir, readFile, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { until } from '../../support/until.ts';
import { buildUser, openWorkshop, type Workshop } from './build-host.ts';
import { builderCommand } from './run-builder.ts';
import { makeTinySource } from './tiny-source.ts';

let workshop: Workshop;
beforeEach(async () => {
  workshop = await openWorkshop();
});
afterEach(async () => {
  await workshop.scratch.remove();
});

test('a killed agent leaves a scratch directory and a lock: the next agent builds all the same', async () => {
  const { path } = workshop.scratch;
  const pids = join(path, 'pids');
  await writeFile(pids, '');
  await execa('chmod', ['666', pids]);
  // The first compiler hangs; the second finds the note that there was one, and goes on.
  const recipe = `test -s ${pids} || { echo $$$$ > ${pids}; exec sleep 600; }`;
  const source = await makeTinySource(path, { recipe });
  workshop.upload(source);
  const directories = { rootDirectory: join(path, 'h1'), cacheDirectory: join(path, 'cache') };
  const [command = '', ...args] = builderCommand({ ...directories, buildUser, ...source });
  const agent = execa(command, args, { reject: false });
  const compiler = await until(
    'the compiler runs',
    async () => Number.parseInt(await readFile(pids, 'utf8'), 10) || undefined,
  );
  try {
    agent.kill('SIGKILL');
    await agent;
    expect(await readdir(join(path, 'cache', 'scratch'))).toHaveLength(1);
    const host = await workshop.openHost('h1');
    expect(await readdir(join(path, 'cache', 'scratch'))).toEqual([]);
    expect((await host.builder.build(source.release)).release).toBe('redis-9.0.1');
  } finally {
    // Nobody is left to end it: the agent is dead.
    process.kill(compiler, 'SIGKILL');
  }
});

test('the scratch directory of a build that is under way is let alone', async () => {
  const { path } = workshop.scratch;
  const gate = join(path, 'gate');
  const source = await makeTinySource(path, {
    recipe: `while ! test -e ${gate}; do sleep 0.05; done`,
  });
  workshop.upload(source);
  const first = await workshop.openHost('h1');
  const building = first.builder.build(source.release);
  await until('the build is under way', async () => {
    return (await readdir(join(path, 'cache', 'scratch'))).length === 1;
  });
  await workshop.openHost('h2');
  expect(await readdir(join(path, 'cache', 'scratch'))).toHaveLength(1);
  await writeFile(gate, '');
  expect((await building).release).toBe('redis-9.0.1');
});

test('a build that had stepped aside when the agent was killed comes back', async () => {
  const source = await makeTinySource(workshop.scratch.path);
  workshop.upload(source);
  const first = await workshop.openHost('h1');
  const build = await first.builder.build(source.release);
  const releases = join(first.rootDirectory, 'releases');
  const name = 'redis-9.0.1-linux-test';
  await rename(join(releases, name), join(releases, `.outgoing-${name}`));
  await mkdir(join(releases, '.incoming-half', 'bin'), { recursive: true });
  const second = await workshop.openHost('h1');
  expect(await readdir(releases)).toEqual([name]);
  expect(await second.builder.installed()).toEqual([{ id: build.id, release: 'redis-9.0.1' }]);
});
