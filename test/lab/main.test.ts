/** The lab as a person has it: `npm run lab` in one terminal, commands in another. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';

import { repositoryRoot } from '../support/paths.ts';
import { createScratchDirectory } from '../support/scratch.ts';
import { openTerminal } from '../support/terminal.ts';
import { until } from '../support/until.ts';
import { run } from './command.ts';
import { reasonToSkipLab } from './skip-reason.ts';

const reason = await reasonToSkipLab();

const main = join(repositoryRoot, 'test', 'lab', 'main.ts');
const command = [
  process.execPath,
  '--experimental-transform-types',
  '--disable-warning=ExperimentalWarning',
  main,
];

describe.skipIf(reason !== '')('npm run lab', () => {
  test('comes up, obeys from another terminal, and ends with a signal', async () => {
    const scratch = await createScratchDirectory('lab-main');
    onTestFinished(() => scratch.remove());
    // A temporary directory of its own: labs of other people are none of its business.
    const env = { ...process.env, TMPDIR: scratch.path } as Record<string, string>;
    const tell = async (...args: string[]) => run([...command, ...args], { env, reject: false });

    expect((await tell('hosts')).stderr).toContain('no lab runs');
    const [node = '', ...args] = command;
    const lab = spawn(node, [...args, '--hosts', '1', '--no-controller'], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void lab.kill('SIGKILL'));
    let said = '';
    lab.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
    await until('the lab is up', () => said.includes('Ctrl-C'), 60_000);

    expect((await tell('hosts')).stdout).toContain('h1\t10.77.0.11\tup');
    expect((await tell('crash', 'h9')).stderr).toContain('no host h9');
    expect((await tell('power-cut', 'h1')).stderr).toContain('durability');
    await tell('crash', 'h1');
    expect((await tell('hosts')).stdout).toContain('h1\t10.77.0.11\tdown');
    expect((await tell('boot', 'h1', '10.77.0.50')).stdout).toContain('10.77.0.50');

    const shell = openTerminal([...command, 'shell', 'h1'], env);
    shell.type('echo "I am $(hostname) and $(id -un)"; exit 3\n');
    await shell.waitFor('I am h1 and root');
    expect(await shell.exitCode).toBe(3);

    lab.kill('SIGINT');
    expect(await once(lab, 'close')).toEqual([0, null]);
    expect(said).toContain('The lab is gone');
    expect(readdirSync(scratch.path)).toEqual([]);
  });
});
