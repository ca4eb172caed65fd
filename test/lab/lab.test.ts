/** That a lab's failures are what they say, and that none of them reaches the machine. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';

import { until } from '../support/until.ts';
import { endGroup, ended } from './command.ts';
import { CLIENT, Lab } from './lab.ts';
import { reasonToSkipLab } from './skip-reason.ts';

const reason = await reasonToSkipLab();
if (reason !== '') console.warn(`lab tests are skipped: ${reason}`);

describe.skipIf(reason !== '')('a lab with a cluster', () => {
  let lab: Lab;
  let password = '';

  beforeAll(async () => {
    const began = performance.now();
    lab = await Lab.start({ hosts: 3 });
    console.log(`3 hosts are up after ${Math.round(performance.now() - began)} ms`);
  });

  afterAll(async () => lab?.stop());

  test('carries a cluster that the command line makes', async () => {
    await lab.createCluster({ name: 'first' });
    password = (await lab.credentials('first')).password;
    const info = await lab.redisCli('h1', 6379, ['cluster', 'info'], password);
    expect(info.stdout).toContain('cluster_state:ok');
  });

  test('a host that crashes and boots has its data, and its nodes come back', async () => {
    await lab.exec('h2', ['sh', '-c', 'echo kept > /root/kept']);
    await lab.crash('h2');
    expect(await lab.reaches(CLIENT, 'h2')).toBe(false);
    await lab.boot('h2');
    expect(await lab.reaches(CLIENT, 'h2')).toBe(true);
    expect((await lab.exec('h2', ['cat', '/root/kept'])).stdout).toBe('kept');
    await lab.waitForHosts();
    await until('the nodes of h2 are back', async () => {
      const info = await lab.redisCli('h2', 6379, ['cluster', 'info'], password);
      return info.stdout.includes('cluster_state:ok');
    });
  });

  test('a host that is isolated reaches nobody until it is healed', async () => {
    await lab.isolate('h3');
    expect(await lab.reaches('h3', 'h1')).toBe(false);
    expect(await lab.reaches('h1', 'h3')).toBe(false);
    expect(await lab.reaches('h1', 'h2')).toBe(true);
    await lab.heal('h3');
    expect(await lab.reaches('h3', 'h1')).toBe(true);
  });

  test('a partition parts two hosts, and only them', async () => {
    await lab.partition('h1', 'h2');
    expect(await lab.reaches('h1', 'h2')).toBe(false);
    expect(await lab.reaches('h2', 'h1')).toBe(false);
    expect(await lab.reaches('h1', 'h3')).toBe(true);
    await lab.heal();
    expect(await lab.reaches('h1', 'h2')).toBe(true);
  });
});

describe.skipIf(reason !== '')('a host of a lab', () => {
  let lab: Lab;
  const sh = async (script: string, host = 'h1'): Promise<string> =>
    (await lab.exec(host, ['sh', '-euc', script])).stdout;

  beforeAll(async () => {
    const options = { withController: false, durability: true, clock: true };
    lab = await Lab.start({ hosts: 2, diskMb: 64, ...options });
  });

  afterAll(async () => lab?.stop());

  test('has a name, files and processes of its own', async () => {
    expect(await sh('hostname')).toBe('h1');
    await sh('echo mine > /etc/redrover-lab-test; echo mine > /tmp/redrover-lab-test');
    expect(await sh('ls /etc/redrover-lab-test /tmp/redrover-lab-test 2>&1 || true', 'h2')).toMatch(
      /cannot access.*etc[^]*cannot access.*tmp/,
    );
    expect(existsSync('/etc/redrover-lab-test')).toBe(false);
    expect(await sh('ls /usr/local/redis 2>&1 || true')).toContain('cannot access');
    expect(await sh('cat /proc/1/cmdline')).toContain('host.sh');
  });

  test('has kernel settings of its own, and cannot touch the others of the machine', async () => {
    const readMachine = (): string[] =>
      [
        '/proc/sys/net/core/somaxconn',
        '/proc/sys/vm/overcommit_memory',
        '/proc/sys/vm/swappiness',
        '/sys/kernel/mm/transparent_hugepage/enabled',
      ].map((path) => (existsSync(path) ? readFileSync(path, 'utf8') : ''));
    const before = readMachine();
    await sh('echo 12345 > /proc/sys/net/core/somaxconn');
    await sh('echo 1 > /proc/sys/vm/overcommit_memory');
    expect(await sh('cat /proc/sys/net/core/somaxconn /proc/sys/vm/overcommit_memory')).toBe(
      '12345\n1',
    );
    expect(await sh('cat /proc/sys/net/core/somaxconn', 'h2')).not.toBe('12345');
    expect(await sh('cat /proc/sys/vm/overcommit_memory', 'h2')).toBe('0');
    expect(await sh('(echo 7 > /proc/sys/vm/swappiness) 2>&1 || true')).toContain('Read-only');
    expect(readMachine()).toEqual(before);
  });

  test('has no way out of the lab', async () => {
    expect(await sh('ip route')).toBe(
      '10.77.0.0/24 dev eth0 proto kernel scope link src 10.77.0.11',
    );
    const outside = 'import socket; socket.create_connection(("192.0.2.1", 80), timeout=2)';
    const tried = await lab.exec('h1', ['python3', '-c', outside], { reject: false });
    expect(tried.stderr).toContain('Network is unreachable');
  });

  test('keeps after a crash what was written, and loses in a power cut what was not synced', async () => {
    const write = `
import os
def put(path, text, sync, flags=0):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | flags)
    os.write(fd, text)
    if sync: os.fsync(fd)
    os.close(fd)
os.makedirs("/var/data")
put("/var/data/log", b"one", True, os.O_APPEND)
put("/var/data/log", b"two", False, os.O_APPEND)
put("/var/data/small", b"synced", True)
put("/var/data/small", b"SYNC", False)
put("/var/data/never", b"never", False)
put("/var/data/new", b"renamed", True)
os.rename("/var/data/new", "/var/data/renamed")
    `;
    const read = 'cd /var/data; for f in log small never renamed; do echo "$f=$(cat $f)"; done';
    await lab.exec('h1', ['python3', '-c', write]);
    await lab.crash('h1');
    // Booting takes all of the disk for durable: undone here by writing all of it once more.
    await lab.boot('h1');
    expect(await sh(read)).toBe('log=onetwo\nsmall=SYNCed\nnever=never\nrenamed=renamed');
    await sh('rm -r /var/data');
    await lab.exec('h1', ['python3', '-c', write]);
    const lost = await lab.powerCut('h1');
    expect(lost.map(({ path }) => path).toSorted()).toEqual([
      '/var/data/log',
      '/var/data/never',
      '/var/data/small',
    ]);
    await lab.boot('h1');
    expect(await sh(read)).toBe('log=one\nsmall=synced\nnever=\nrenamed=renamed');
  });

  test('can have its disk filled, and the machine does not notice', async () => {
    await lab.fillDisk('h2');
    const full = await lab.exec('h2', ['sh', '-c', 'head -c 100000 /dev/zero > /root/big'], {
      reject: false,
    });
    expect(full.exitCode).not.toBe(0);
    expect(full.stderr).toContain('No space left on device');
    expect(await sh('head -c 100000 /dev/zero > /root/big; wc -c < /root/big', 'h1')).toBe(
      '100000',
    );
    await lab.freeDisk('h2');
    expect(await sh('head -c 100000 /dev/zero > /root/big; wc -c < /root/big', 'h2')).toBe(
      '100000',
    );
  });

  test('can have its clock moved while programs run; what only counts on is left alone', async () => {
    const watch = `
import sys, time
for _ in sys.stdin: print(time.time(), time.monotonic(), flush=True)
    `;
    const child = lab.spawn('h1', ['python3', '-c', watch]);
    const ask = async (): Promise<number[]> => {
      child.stdin?.write('\n');
      const [line] = (await once(child.stdout as Readable, 'data')) as [Buffer];
      return line.toString().split(' ').map(Number);
    };
    const [time = 0, monotonic = 0] = await ask();
    await lab.setClock('h1', -7_200.5);
    const [laterTime = 0, laterMonotonic = 0] = await ask();
    expect(laterTime - time).toBeGreaterThan(-7_200.6);
    expect(laterTime - time).toBeLessThan(-7_190);
    expect(laterMonotonic - monotonic).toBeGreaterThan(0);
    expect(laterMonotonic - monotonic).toBeLessThan(10);
    const machineS = Date.now() / 1_000;
    expect(Math.abs(Number(await sh('date +%s', 'h2')) - machineS)).toBeLessThan(10);
    await lab.setClock('h1', 0);
    expect(Math.abs(Number(await sh('date +%s')) - machineS)).toBeLessThan(10);
    endGroup(child, 'SIGKILL');
  });

  test('can boot with another address', async () => {
    await lab.crash('h2');
    await lab.boot('h2', { address: '10.77.0.99' });
    expect(lab.addressOf('h2')).toBe('10.77.0.99');
    expect(await sh('ip -brief address show eth0', 'h2')).toContain('10.77.0.99/24');
    expect(await lab.reaches('h1', 'h2')).toBe(true);
    await lab.partition('h1', 'h2');
    await lab.crash('h2');
    await lab.boot('h2', { address: '10.77.0.12' });
    expect(await lab.reaches('h1', 'h2')).toBe(false);
    await lab.heal();
    expect(await lab.reaches('h1', 'h2')).toBe(true);
  });

  test('has its processes stopped, resumed and killed by their pids on the host', async () => {
    const child = lab.spawn('h1', ['sleep', '1000']);
    const pid = await until('it runs', async () =>
      lab.host('h1').findProcess((commandLine) => commandLine === 'sleep 1000'),
    );
    const state = async (): Promise<string> => sh(`awk '{ print $3 }' /proc/${pid}/stat`);
    await lab.pause('h1', pid);
    expect(await state()).toBe('T');
    await lab.resume('h1', pid);
    await until('it sleeps again', async () => (await state()) === 'S');
    await lab.kill('h1', pid);
    await ended(child);
    expect(await sh(`ls -d /proc/${pid} 2>&1 || true`)).toContain('cannot access');
  });
});

describe.skipIf(reason !== '')('the end of a lab', () => {
  // Starts a lab, says which process is its pid 1, and rests.
  const owner = `
    const { Lab } = await import(${JSON.stringify(new URL('lab.ts', import.meta.url).href)});
    const lab = await Lab.start({ hosts: 2, withController: false });
    lab.spawn('h1', ['sleep', '1000']);
    console.log(lab.pid);
    process.stdin.once('data', () => lab.stop());
    setInterval(() => {}, 1000);
  `;

  function pidNamespaces(): Map<string, string> {
    const entries = readdirSync('/proc').flatMap((name) => {
      try {
        return /^\d+$/.test(name) ? [[name, readlinkSync(`/proc/${name}/ns/pid`)] as const] : [];
      } catch {
        // It ended between the looks.
        return [];
      }
    });
    return new Map(entries);
  }

  /** The lab's pid namespace and those of its hosts: whatever sees its mounts is in one of them. */
  function namespacesBelow(pid: string): Set<string> {
    const namespaces = pidNamespaces();
    const below = (parent: string): string[] => {
      const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8');
      return children
        .trim()
        .split(' ')
        .filter((child) => child !== '')
        .flatMap((child) => [child, ...below(child)]);
    };
    const own = readlinkSync('/proc/self/ns/pid');
    return new Set(
      [pid, ...below(pid)]
        .map((each) => namespaces.get(each) ?? own)
        .filter((namespace) => namespace !== own),
    );
  }

  test.for(['stop', 'SIGKILL'])('leaves no process and no mount: %s', async (how) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', owner], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const pid = (await lines.next()).value as string;
    // nsenter puts the hosts beside the lab's pid 1, as children of their starter.
    const namespaces = namespacesBelow(`${child.pid}`);
    expect(namespaces.size).toBe(5);
    if (how === 'SIGKILL') child.kill('SIGKILL');
    else child.stdin.write('stop');
    await until(
      'nothing of the lab is left',
      () => [...pidNamespaces().values()].every((namespace) => !namespaces.has(namespace)),
      10_000,
    );
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain('redrover-lab');
    expect(existsSync(`/proc/${pid}`)).toBe(false);
  });
});
