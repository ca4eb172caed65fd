import { readdir, readFile } from 'node:fs/promises';

import { execa } from 'execa';
import { describe, expect, test } from 'vitest';

import { onTunedHost, readItems, reasonToSkip } from './tuned-host.ts';

const reason = await reasonToSkip();

const tuned = [
  'net.core.somaxconn',
  'net.ipv4.tcp_max_syn_backlog',
  'vm.overcommit_memory',
  'transparent_hugepage',
  'nofile',
];

function states(printed: string | undefined): Record<string, string> {
  const items = readItems(printed);
  return Object.fromEntries(tuned.map((name) => [name, items[name]?.state ?? 'missing']));
}

// Root in a container often has not got CAP_SYS_RESOURCE: then the limits file is written all the
// same, and the item says that nodes cannot have it here.
const mayRaiseLimits = !(
  await execa('prlimit', ['--nofile=65535:65535', 'true'], { reject: false })
).failed;

const allOk = {
  ...Object.fromEntries(tuned.map((name) => [name, 'ok'])),
  nofile: mayRaiseLimits ? 'ok' : 'read-only',
};

describe.skipIf(reason !== '')(`tuning a host${reason === '' ? '' : ` (${reason})`}`, () => {
  test('an untouched host differs; tuned, everything is in force and persisted', async () => {
    const [before, tune, after, values, files] = await onTunedHost(`
      check; next; tune; next; check; next
      cat /proc/sys/net/core/somaxconn /proc/sys/net/ipv4/tcp_max_syn_backlog
      cat /proc/sys/vm/overcommit_memory /sys/kernel/mm/transparent_hugepage/enabled; next
      cat /etc/sysctl.d/90-redrover.conf /etc/security/limits.d/90-redrover.conf
      cat /etc/tmpfiles.d/90-redrover.conf
    `);
    expect(Object.values(states(before))).toEqual(tuned.map(() => 'differs'));
    expect(states(tune)).toEqual(allOk);
    expect(states(after)).toEqual(allOk);
    expect(readItems(tune)['net.core.somaxconn']).toMatchObject({
      before: '4096',
      found: '20480',
      wanted: '20480',
      source: '/proc/sys/net/core/somaxconn, /etc/sysctl.d/90-redrover.conf',
      hint: '',
    });
    expect(values?.split('\n')).toEqual(['20480', '20480', '1', 'never']);
    expect(files).toContain('net.ipv4.tcp_max_syn_backlog = 20480');
    expect(files).toContain('root hard nofile 65535');
    expect(files).toContain('* soft nofile 65535');
    expect(files).toContain('w /sys/kernel/mm/transparent_hugepage/enabled - - - - never');
  });

  test('a second run changes nothing', async () => {
    const snapshot = 'find /etc /proc/sys/vm/overcommit_memory -newer "$1/mark" -type f';
    const [first, second, changed] = await onTunedHost(`
      tune; next; sleep 0.05; touch "$1/mark"; tune; next; ${snapshot}
    `);
    expect(changed).toBe('');
    for (const item of Object.values(readItems(second))) {
      expect(item.before).toBe(item.found);
      expect(item.found).toBe(readItems(first)[item.name]?.found);
    }
  });

  test('what was persisted is what the system itself puts in force at boot', async () => {
    const [, values] = await onTunedHost(`
      tune; next
      echo 128 > /proc/sys/net/core/somaxconn; echo 0 > /proc/sys/vm/overcommit_memory
      # Empty: the copy is a plain file, into which tmpfiles writes without cutting it.
      : > /sys/kernel/mm/transparent_hugepage/enabled
      sysctl --system > /dev/null 2>&1
      systemd-tmpfiles --create /etc/tmpfiles.d/90-redrover.conf
      cat /proc/sys/net/core/somaxconn /proc/sys/vm/overcommit_memory
      cat /sys/kernel/mm/transparent_hugepage/enabled
    `);
    expect(values?.split('\n')).toEqual(['20480', '1', 'never']);
  });

  test.skipIf(!mayRaiseLimits)('a new login has the limits (needs CAP_SYS_RESOURCE)', async () => {
    const login = `su -s /bin/sh nobody -c 'ulimit -Sn; ulimit -Hn'`;
    const [, limits] = await onTunedHost(`tune; next; ${login}`);
    expect(limits?.split('\n')).toEqual(['65535', '65535']);
  });

  test('a read-only value is reported and the rest is applied all the same', async () => {
    const [printed] = await onTunedHost(`
      mount -o remount,bind,ro /proc/sys/vm/overcommit_memory
      tune
    `);
    expect(states(printed)).toEqual({ ...allOk, 'vm.overcommit_memory': 'read-only' });
    expect(readItems(printed)['vm.overcommit_memory']).toMatchObject({ found: '0', before: '0' });
    expect(readItems(printed)['vm.overcommit_memory']?.hint).toContain(
      'sysctl -w vm.overcommit_memory=1',
    );
  });

  test('without root every item says so, and nothing is changed', async () => {
    const [printed, values] = await onTunedHost(`
      setpriv --reuid 65534 --regid 65534 --clear-groups "$NODE" "$RUNNER" tune; next
      cat /proc/sys/net/core/somaxconn /proc/sys/vm/overcommit_memory; ls /etc/sysctl.d
    `);
    expect(Object.values(states(printed))).toEqual(tuned.map(() => 'needs-root'));
    expect(readItems(printed)['net.core.somaxconn']?.hint).toContain(
      'sudo sysctl -w net.core.somaxconn=20480',
    );
    expect(values?.split('\n').slice(0, 2)).toEqual(['4096', '0']);
    expect(values).not.toContain('redrover');
  });

  test("somebody else's later file is named, not touched", async () => {
    const [printed, file] = await onTunedHost(`
      rm -f /etc/sysctl.d/99-sysctl.conf
      echo 'net/core/somaxconn=128' > /etc/sysctl.d/99-theirs.conf
      tune; next; cat /etc/sysctl.d/99-theirs.conf
    `);
    const item = readItems(printed)['net.core.somaxconn'];
    expect(item).toMatchObject({ state: 'not-persisted', found: '20480' });
    expect(item?.hint).toContain('/etc/sysctl.d/99-theirs.conf sets 128');
    expect(file).toBe('net/core/somaxconn=128');
  });

  test('a higher value that somebody chose is left as it is', async () => {
    const [printed, value, own] = await onTunedHost(`
      echo 65535 > /proc/sys/net/core/somaxconn
      echo 'net.core.somaxconn = 65535' > /etc/sysctl.d/10-theirs.conf
      tune; next; cat /proc/sys/net/core/somaxconn; next; cat /etc/sysctl.d/90-redrover.conf
    `);
    expect(readItems(printed)['net.core.somaxconn']).toMatchObject({ state: 'ok', found: '65535' });
    expect(value).toBe('65535');
    expect(own).not.toContain('somaxconn');
    expect(own).toContain('vm.overcommit_memory = 1');
  });

  test('in force but not persisted is told apart', async () => {
    const [printed] = await onTunedHost('echo 1 > /proc/sys/vm/overcommit_memory; check');
    expect(readItems(printed)['vm.overcommit_memory']).toMatchObject({
      found: '1',
      state: 'not-persisted',
    });
  });

  const withoutSystemd = `
    mkdir "$1/lib" "$1/libwork"
    mount -t overlay overlay -o "lowerdir=/usr/lib/systemd,upperdir=$1/lib,workdir=$1/libwork" /usr/lib/systemd
    rm /usr/lib/systemd/systemd
    mount -t tmpfs tmpfs /run
  `;

  test('without systemd huge pages are switched off in an rc.local of our own', async () => {
    const [printed, mode, value] = await onTunedHost(`${withoutSystemd}
      tune; next; stat -c %a /etc/rc.local; next
      echo madvise > /sys/kernel/mm/transparent_hugepage/enabled; /etc/rc.local
      cat /sys/kernel/mm/transparent_hugepage/enabled
    `);
    expect(states(printed)).toEqual(allOk);
    expect(mode).toBe('755');
    expect(value).toBe('never');
  });

  test("somebody else's rc.local is left alone, and the line to add is named", async () => {
    const [printed, content] = await onTunedHost(`${withoutSystemd}
      printf '#!/bin/sh\\nexit 0\\n' > /etc/rc.local; chmod 755 /etc/rc.local
      tune; next; cat /etc/rc.local
    `);
    const item = readItems(printed)['transparent_hugepage'];
    expect(item).toMatchObject({ state: 'not-persisted', found: 'never' });
    expect(item?.hint).toContain("rc.local is not Redrover's; add to it: echo never");
    expect(content).toBe('#!/bin/sh\nexit 0');
  });

  test('the machine that runs the tests is as it was', async () => {
    const before = await readMachine();
    await onTunedHost('tune');
    expect(await readMachine()).toEqual(before);
  });
});

async function readMachine(): Promise<string[]> {
  const values = [
    '/proc/sys/net/core/somaxconn',
    '/proc/sys/vm/overcommit_memory',
    '/sys/kernel/mm/transparent_hugepage/enabled',
  ].map((path) => readFile(path, 'utf8').catch(() => 'absent'));
  const folders = ['/etc/sysctl.d', '/etc/security/limits.d', '/etc/tmpfiles.d'].map((path) =>
    readdir(path).catch(() => []),
  );
  return [...(await Promise.all(values)), ...(await Promise.all(folders)).flat()];
}
