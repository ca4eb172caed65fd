// A host of one's own to tune: a private mount, network and uts namespace of this machine, with
// an overlay on /etc and copies of the values that no namespace separates. What is written there
// goes with the namespace; the machine itself never changes.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { execa } from 'execa';
import type { TuningItem } from '@redrover/core';

/** Why the tests that need a host of their own cannot run here; empty when they can. */
export async function reasonToSkip(): Promise<string> {
  if (process.getuid?.() !== 0) return 'needs root: mount namespaces';
  const { failed } = await execa('unshare', ['--mount', '--net', '--uts', 'true'], {
    reject: false,
  });
  return failed ? 'needs namespaces: unshare does not work here' : '';
}

// Node runs it as it is.
const runner = fileURLToPath(
  new URL('../../../packages/agent/src/host/tuning/testing/print-tuning.ts', import.meta.url),
);

// $1: an empty folder. The sysctls of `net` are the namespace's own, real ones.
const prepare = `
set -eu
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/values"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/upper,workdir=$1/work" /etc
rm -f /etc/sysctl.d/90-redrover.conf /etc/security/limits.d/90-redrover.conf
rm -f /etc/tmpfiles.d/90-redrover.conf /etc/rc.local
echo 0 > "$1/values/overcommit"
echo 'always [madvise] never' > "$1/values/thp"
mount --bind "$1/values/overcommit" /proc/sys/vm/overcommit_memory
mount --bind "$1/values/thp" /sys/kernel/mm/transparent_hugepage/enabled
echo 4096 > /proc/sys/net/core/somaxconn
check() { "$NODE" "$RUNNER" check; }
tune() { "$NODE" "$RUNNER" tune; }
next() { printf '\\n%s\\n' ---; }
`;

/** Runs a script on a fresh host; answers what it printed, cut at each `next`. */
export async function onTunedHost(script: string): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'redrover-tuning-'));
  try {
    const { stdout } = await execa(
      'unshare',
      ['--mount', '--net', '--uts', 'sh', '-c', `${prepare}\n${script}`, 'sh', folder],
      { env: { NODE: process.execPath, RUNNER: runner, NODE_NO_WARNINGS: '1' } },
    );
    return `${stdout}\n`.split('\n---\n').map((part) => part.trim());
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The items by name, from what `check` or `tune` printed. */
export function readItems(printed: string | undefined): Record<string, TuningItem> {
  const items = JSON.parse(printed ?? '') as TuningItem[];
  return Object.fromEntries(items.map((item) => [item.name, item]));
}
