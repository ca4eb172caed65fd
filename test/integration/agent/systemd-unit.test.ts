/** The unit file for hosts with systemd: systemd itself reads it, and it must never stop a node. */
import { execa } from 'execa';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { repositoryRoot } from '../../support/paths.ts';
import { createScratchDirectory } from '../../support/scratch.ts';

const unit = join(repositoryRoot, 'docs', 'systemd', 'redrover-agent.service');

const found = await execa('systemd-analyze', ['--version'], { reject: false });

test.skipIf(found.failed)(
  'systemd accepts the unit (skipped without systemd-analyze)',
  async () => {
    const scratch = await createScratchDirectory('unit');
    try {
      const copy = join(scratch.path, 'redrover-agent.service');
      const text = await readFile(unit, 'utf8');
      // The program is not installed where the tests run.
      await writeFile(copy, text.replace('/usr/local/bin/redrover-agent', '/bin/true'));
      const { exitCode, stderr } = await execa('systemd-analyze', ['verify', copy], {
        reject: false,
      });
      expect(stderr).toBe('');
      expect(exitCode).toBe(0);
    } finally {
      await scratch.remove();
    }
  },
);

test('stopping the unit signals the agent alone', async () => {
  const lines = (await readFile(unit, 'utf8')).split('\n');
  expect(lines).toContain('KillMode=process');
  expect(lines).toContain('OOMPolicy=continue');
});
