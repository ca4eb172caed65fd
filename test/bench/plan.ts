/** `planLayout` for 200 hosts and 1,000 nodes. */
import { planLayout } from '@redrover/core';
import type { ClusterSpec, Host } from '@redrover/core';

import { figure } from './report.ts';
import type { Report } from './report.ts';

const HOSTS = 200;
const RUNS = 5;
const AIM_MS = 1_000;
const GIB = 2 ** 30;

const shapes = [
  { shards: 500, replicas: 1 },
  { shards: 250, replicas: 3 },
];

export function benchPlan(): Report {
  const figures = shapes.flatMap(({ shards, replicas }) =>
    [0, 5].map((zones) => {
      const hosts = makeHosts(zones);
      const values = Array.from({ length: RUNS }, () => timePlan(specOf(shards, replicas), hosts));
      const where = zones === 0 ? 'no zones' : `${zones} zones`;
      return figure(
        `planLayout, ${HOSTS} hosts, ${shards} × (1 + ${replicas}), ${where}`,
        'ms',
        values,
      );
    }),
  );
  const worst = Math.max(...figures.map((item) => item.median));
  const aims = [{ text: `1,000 nodes in at most ${AIM_MS} ms`, seen: worst, met: worst <= AIM_MS }];
  return { bench: 'plan', figures, aims, remarks: ['The first run is cold and counts as well.'] };
}

function timePlan(spec: ClusterSpec, hosts: readonly Host[]): number {
  const startMs = performance.now();
  const plan = planLayout({ spec, hosts, current: undefined, clusterId: 'bench', number: 1 });
  const elapsedMs = performance.now() - startMs;
  if (!plan.ok) throw new Error(`refused: ${plan.refusals.map((item) => item.message).join('; ')}`);
  return elapsedMs;
}

function makeHosts(zones: number): Host[] {
  return Array.from({ length: HOSTS }, (_, index) => ({
    name: `h${index + 1}`,
    address: `10.0.${Math.floor(index / 250)}.${(index % 250) + 1}`,
    labels: zones === 0 ? {} : { zone: `z${index % zones}` },
    status: 'online',
    facts: {
      hostname: `h${index + 1}`,
      cores: 16,
      memoryBytes: 64 * GIB,
      diskTotalBytes: 512 * GIB,
      diskFreeBytes: 400 * GIB,
      kernel: '6.1.0',
      os: 'debian 12',
      arch: 'x86_64',
      libc: 'glibc 2.36',
      compiler: '',
      addresses: [],
      platform: 'linux-x86_64-glibc2.36-debian12',
      root: true,
      agentVersion: '0.1.0',
      rootDirectory: '/usr/local/redis',
    },
    usedPorts: [],
    reservedBytes: 0,
  }));
}

function specOf(shards: number, replicas: number): ClusterSpec {
  return {
    name: 'bench',
    release: 'redis-7.0.15',
    shards,
    replicas,
    placement: {
      hosts: [],
      basePort: 6379,
      zoneLabel: 'zone',
      allowSameHost: false,
      allowWeakQuorum: false,
    },
    nodes: [],
    maxmemoryBytes: 2 * GIB,
    nodeTimeoutMs: 5000,
    repair: 'manual',
    repairQuietMs: 300_000,
    config: {},
  };
}
