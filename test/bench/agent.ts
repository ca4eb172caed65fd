/** What an agent costs while it supervises ten nodes of a running cluster: memory and CPU, read from /proc. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

import type { BuiltRelease } from '../support/built-release.ts';
import { startPausedCluster } from './paused-cluster.ts';
import { figure } from './report.ts';
import type { Report } from './report.ts';

const NODES_PER_HOST = 10;
const HOSTS = 3;
const AIM_RSS_MB = 80;
const AIM_CPU_PERCENT = 1;
const SAMPLE_MS = 10_000;

export interface AgentOptions {
  readonly release: BuiltRelease;
  readonly minutes: number;
}

export async function benchAgent(options: AgentOptions): Promise<Report> {
  const { release } = options;
  const masters = (NODES_PER_HOST * HOSTS) / 2;
  const setup = { release, masters, hosts: HOSTS, basePort: 22_000 };
  const cluster = await startPausedCluster(setup);
  try {
    await cluster.api.operations.resumeOperation({ operation: cluster.operationId });
    for await (const _ of cluster.api.operations.watchOperation({
      operation: cluster.operationId,
    }));
    return await sample(cluster.agentPids, options.minutes);
  } finally {
    await cluster.close();
  }
}

async function sample(pids: readonly number[], minutes: number): Promise<Report> {
  const rss: number[] = [];
  const endMs = performance.now() + minutes * 60_000;
  const startMs = performance.now();
  const cpuBefore = pids.map(cpuSeconds);
  while (performance.now() < endMs) {
    await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
    rss.push(Math.max(...pids.map((pid) => readMegabytes(pid, 'status', 'VmRSS'))));
  }
  const elapsedSeconds = (performance.now() - startMs) / 1000;
  const cpu = pids.map((pid, index) => {
    return (100 * (cpuSeconds(pid) - (cpuBefore[index] ?? 0))) / elapsedSeconds;
  });
  const last = pids.map((pid) => readMegabytes(pid, 'status', 'VmRSS'));
  const pss = pids.map((pid) => readMegabytes(pid, 'smaps_rollup', 'Pss'));
  const worstRss = Math.max(...last);
  const worstCpu = Math.max(...cpu);
  return {
    bench: 'agent',
    figures: [
      figure(`RSS of each agent after ${minutes} min`, 'MB', last),
      figure(`PSS of each agent after ${minutes} min`, 'MB', pss),
      figure('RSS of the largest agent, over time', 'MB', rss),
      figure('CPU of each agent, of one core', '%', cpu),
    ],
    aims: [
      { text: `at most ${AIM_RSS_MB} MB resident`, seen: worstRss, met: worstRss <= AIM_RSS_MB },
      {
        text: `at most ${AIM_CPU_PERCENT} % CPU`,
        seen: worstCpu,
        met: worstCpu <= AIM_CPU_PERCENT,
      },
    ],
    remarks: [
      `${HOSTS} agents with ${NODES_PER_HOST} nodes each, heartbeat each second, idle cluster.`,
    ],
  };
}

/** Megabytes are 10^6 bytes, as in the aim; the kernel counts in KiB. */
function readMegabytes(pid: number, file: string, field: string): number {
  const text = readFileSync(`/proc/${pid}/${file}`, 'utf8');
  const match = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text);
  return (Number(match?.[1]) * 1024) / 1e6;
}

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** User and system time (fields 14 and 15 of proc(5) stat), seconds. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
