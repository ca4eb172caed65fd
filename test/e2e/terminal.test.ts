/** What is asked of a person at a terminal, and what Ctrl-C does there. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { distDirectory } from '../support/paths.ts';
import { TestStack } from '../support/stack.ts';
import { CTRL_C, openTerminal } from '../support/terminal.ts';
import { until } from '../support/until.ts';

let stack: TestStack;
let spec: string;

beforeAll(async () => {
  stack = await TestStack.start();
  spec = await stack.writeSpec({ name: 'shop' });
});

afterAll(async () => stack?.stop());

function redrover(...args: readonly string[]) {
  const program = [process.execPath, join(distDirectory, 'redrover.mjs')];
  return openTerminal([...program, ...args], { ...stack.environment(), NO_COLOR: '' });
}

async function clusters(): Promise<readonly string[]> {
  const list = await stack.redroverJson<{ name: string }[]>(['cluster', 'ls']);
  return list.map(({ name }) => name);
}

describe('at a terminal', () => {
  test.each(['n\n', '\n', 'sure\n'])('a plan is not applied for the answer %j', async (answer) => {
    const session = redrover('cluster', 'apply', '-f', spec);
    await session.waitFor('Apply this plan to shop? [y/N]');
    session.type(answer);
    expect(await session.exitCode).toBe(1);
    expect(session.text()).toContain('Nothing was changed.');
    expect(await clusters()).toEqual([]);
  });

  test('Ctrl-C at the question changes nothing', async () => {
    const session = redrover('cluster', 'apply', '-f', spec);
    await session.waitFor('[y/N]');
    session.type(CTRL_C);
    expect(await session.exitCode).not.toBe(0);
    expect(await clusters()).toEqual([]);
  });

  test('Ctrl-C while it is applied detaches, and the operation goes on to its end', async () => {
    const session = redrover('cluster', 'apply', '-f', spec);
    await session.waitFor('[y/N]');
    session.type('y\n');
    await session.waitFor('░');
    session.type(CTRL_C);
    expect(await session.exitCode).toBe(130);
    const id = /redrover op watch (op-\S+)/.exec(session.text())?.[1] ?? '';
    const watched = await stack.redrover(['op', 'watch', id]);
    expect(watched, watched.stderr).toMatchObject({ exitCode: 0 });
    expect(await clusters()).toEqual(['shop']);
  });

  test('there are colours, and none with NO_COLOR', async () => {
    const coloured = redrover('cluster', 'show', 'shop');
    expect(await coloured.exitCode).toBe(0);
    expect(coloured.raw()).toContain('\u001B[');
    const plain = redrover('cluster', 'show', 'shop', '--no-color');
    expect(await plain.exitCode).toBe(0);
    expect(plain.raw()).not.toContain('\u001B[');
  });

  test('a cluster is not removed for a yes, nor for another name', async () => {
    for (const answer of ['y\n', 'shops\n']) {
      const session = redrover('cluster', 'rm', 'shop');
      await session.waitFor('Type the name of the cluster');
      session.type(answer);
      expect(await session.exitCode).toBe(1);
    }
    expect(await clusters()).toEqual(['shop']);
  });

  test('it is removed once its name was typed, and a bar shows how far it is', async () => {
    const session = redrover('cluster', 'rm', 'shop');
    await session.waitFor('Type the name of the cluster');
    session.type('shop\n');
    expect(await session.exitCode).toBe(0);
    expect(session.text()).toContain('done: remove shop');
    await until('the cluster is gone', async () => (await clusters()).length === 0);
  });
});
