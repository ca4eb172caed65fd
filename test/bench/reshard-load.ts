/** What goes on beside a move: a client whose latency is taken, and what agents, movers and the controller cost. */
import { execa } from 'execa';
import { readdirSync, readFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';

import type { LatencyReport } from './latency-client.ts';
import type { ReshardCluster } from './reshard-cluster.ts';

/** Reads and writes a second of the client. */
export const CLIENT_RATE_PER_S = 500;
/** It waits for Redis, not for a core of this machine: where that may be asked for. */
const CLIENT_PRIORITY = -10;

export interface Loaded<T> {
  readonly value: T;
  readonly latency: LatencyReport;
}

/** While a client of its own process reads and writes. */
export async function withClient<T>(
  cluster: ReshardCluster,
  action: () => Promise<T>,
): Promise<Loaded<T>> {
  const { nodes, password } = cluster.access;
  const script = fileURLToPath(new URL('latency-client.ts', import.meta.url));
  const [first] = nodes;
  const args = [script, `${first?.host}:${first?.port}`, String(CLIENT_RATE_PER_S)];
  const client = execa(process.execPath, args, { env: { REDISCLI_AUTH: password } });
  try {
    prefer(client.pid);
    const value = await action();
    client.stdin.end();
    return { value, latency: JSON.parse((await client).stdout) as LatencyReport };
  } finally {
    client.kill();
    await client.catch(() => undefined);
  }
}

function prefer(pid: number | undefined): void {
  try {
    if (pid !== undefined) setPriority(pid, CLIENT_PRIORITY);
  } catch {
    // Only root may; the figures then have the machine's own queues in them.
  }
}

export interface Cost {
  /** Of all movers together. */
  readonly moverCpuMs: number;
  readonly agentCpuMs: number;
  readonly controllerCpuMs: number;
  /** Of the largest mover. */
  readonly moverRssMib: number;
}

const SAMPLE_EVERY_MS = 100;

/** What agents, their movers and the controller take meanwhile. */
export async function withCost<T>(
  cluster: ReshardCluster,
  action: () => Promise<T>,
): Promise<{ readonly value: T; readonly cost: Cost }> {
  const pids = cluster.agentPids();
  const controllerPids = cluster.controllerPids();
  const before = sum(pids.map(cpuOf));
  const controllerBefore = sum(controllerPids.map(cpuOf));
  let moverRssMib = 0;
  const timer = setInterval(() => {
    moverRssMib = Math.max(moverRssMib, ...childrenOf(pids).map(peakRssMib));
  }, SAMPLE_EVERY_MS);
  try {
    const value = await action();
    const after = sum(pids.map(cpuOf));
    const moverCpuMs = after.children - before.children;
    const agentCpuMs = after.own - before.own;
    const controllerCpuMs = sum(controllerPids.map(cpuOf)).own - controllerBefore.own;
    return { value, cost: { moverCpuMs, agentCpuMs, controllerCpuMs, moverRssMib } };
  } finally {
    clearInterval(timer);
  }
}

interface Cpu {
  readonly own: number;
  /** Of the children that were waited for. */
  readonly children: number;
}

function sum(all: readonly Cpu[]): Cpu {
  return all.reduce(
    (total, { own, children }) => ({
      own: total.own + own,
      children: total.children + children,
    }),
    { own: 0, children: 0 },
  );
}

/** Of `/proc/PID/stat` (proc(5)), behind the name: utime, stime, cutime and cstime, in ticks of 10 ms. */
function cpuOf(pid: number): Cpu {
  const [user = 0, system = 0, childUser = 0, childSystem = 0] = statOf(pid)
    .slice(11, 15)
    .map((ticks) => Number(ticks) * 10);
  return { own: user + system, children: childUser + childSystem };
}

function childrenOf(parents: readonly number[]): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => {
    const [, parent] = statOf(pid);
    return parents.includes(Number(parent)) && commandOf(pid).includes('/redrover-mover.mjs\0');
  });
}

function statOf(pid: number): string[] {
  const stat = read(pid, 'stat');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function commandOf(pid: number): string {
  return read(pid, 'cmdline');
}

function peakRssMib(pid: number): number {
  const [, kib = '0'] = /VmHWM:\s+(\d+)/.exec(read(pid, 'status')) ?? [];
  return Number(kib) / 1024;
}

/** Empty for a process that has ended. */
function read(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    // It ended between two looks.
    return '';
  }
}
