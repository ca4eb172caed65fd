/**
 * A node's directory belongs to its user, and the agent may be root: nothing that the user puts there
 * leads the agent out of it, or holds it up.
 */
import { execa } from 'execa';
import { mkdir, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { AgentHarness } from './agent-harness.ts';

let harness: AgentHarness;
let directory: string;
beforeEach(async () => {
  harness = await AgentHarness.start();
  directory = join(harness.root, '7001');
  await harness.run(harness.plan(7001));
});
afterEach(() => harness?.stop());

const node = (): string => harness.key(7001);

async function restart(): Promise<void> {
  await harness.controller.step({ kind: 'stopNode', host: 'h1', node: node() });
  await harness.controller.step({ kind: 'startNode', host: 'h1', node: node() });
}

test('a log that links to a secret shows nothing of it', async () => {
  const secret = join(harness.root, 'secret');
  await writeFile(secret, 'the secret of somebody else\n', { mode: 0o600 });
  await rm(join(directory, 'redis.log'));
  await symlink(secret, join(directory, 'redis.log'));
  const { result } = await harness.controller.send({
    case: 'tailLog',
    value: { node: node(), lines: 10 },
  });
  const { result: answer } = await result;
  expect(answer.case === 'log' && answer.value.lines.join()).not.toContain('secret');
});

test.each(['stdio.log', 'nodes.conf', 'redis.log'])(
  'a pipe in the place of %s does not hold the agent up',
  async (name) => {
    await harness.killAgent('SIGKILL');
    harness.signal(7001, 'SIGKILL');
    await rm(join(directory, name));
    await execa('mkfifo', [join(directory, name)]);
    // More nodes than Node has threads for files: if each waited for the pipe, nothing would go on.
    await harness.startAgent();
    for (let times = 0; times < 5; times += 1) {
      await harness.controller.observe([node()]);
      const { result } = await harness.controller.send({
        case: 'tailLog',
        value: { node: node(), lines: 10 },
      });
      await result;
    }
    await rm(join(directory, name));
    await harness.controller.step({ kind: 'startNode', host: 'h1', node: node() });
    const [seen] = await harness.controller.observe([node()]);
    expect(seen?.process.state).toBe('running');
  },
);

test('a server that wrote its output through a link of before does so no more', async () => {
  const victim = join(harness.root, 'victim');
  await writeFile(victim, 'precious\n');
  await harness.controller.step({ kind: 'stopNode', host: 'h1', node: node() });
  await rm(join(directory, 'stdio.log'));
  await symlink(victim, join(directory, 'stdio.log'));
  await harness.controller.step({ kind: 'startNode', host: 'h1', node: node() });
  expect(await readFile(victim, 'utf8')).toBe('precious\n');
  await restart();
});

test('a marker that was changed does not choose where the directory goes', async () => {
  await mkdir(join(harness.root, 'elsewhere'));
  await harness.controller.step({ kind: 'stopNode', host: 'h1', node: node() });
  const marker = JSON.parse(await readFile(join(directory, 'redrover.json'), 'utf8')) as object;
  const changed = { ...marker, cluster: '../elsewhere/it' };
  await writeFile(join(directory, 'redrover.json'), JSON.stringify(changed));
  await harness.controller.step({ kind: 'removeNode', host: 'h1', node: node(), purge: false });
  expect(await readdir(join(harness.root, 'elsewhere'))).toEqual([]);
  expect(await readdir(join(harness.root, 'trash'))).toEqual([expect.stringMatching(/^c1-7001-/)]);
});
