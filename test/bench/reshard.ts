/**
 * Moving a quarter of the slots to a fourth shard: Redrover beside the server's own command line client (and beside
 * bare `CLUSTER MIGRATION IMPORT`), same cluster, same data, turn by turn; what clients notice of it; and what it costs.
 */
import { execa } from 'execa';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import type { BuiltRelease, ObtainedReleases } from '../support/built-release.ts';
import type { LatencyReport } from './latency-client.ts';
import { figure, type Aim, type Figure, type Report } from './report.ts';
import { ReshardCluster, type Timing } from './reshard-cluster.ts';

export interface ReshardOptions {
  readonly releases: ObtainedReleases;
  readonly runs: number;
  /** Of 100 bytes each; a tenth as many of 10 KiB are moved as well. */
  readonly keys: number;
  /** Of each shard. */
  readonly replicas: number;
}

interface Side {
  readonly name: string;
  readonly move: (cluster: ReshardCluster) => Promise<Timing>;
}

interface Comparison {
  readonly ours: readonly Side[];
  readonly theirs: readonly Side[];
  readonly aims: readonly {
    readonly text: string;
    readonly ours: string;
    readonly theirs: string;
    /** Of the ratio theirs / ours, at least; or of ours / theirs, at most. */
    readonly atLeast?: number;
    readonly atMost?: number;
    readonly clock: keyof Timing;
  }[];
}

const GENTLE: Side = { name: 'redrover', move: (cluster) => cluster.giveShare({}) };
const FAST: Side = {
  name: 'redrover --fast',
  move: (cluster) => cluster.giveShare({ pace: 'fast' }),
};

const MIGRATE: Comparison = {
  ours: [FAST, GENTLE],
  theirs: [
    { name: 'redis-cli rebalance', move: (cluster) => cluster.giveByClient([]) },
    {
      name: 'redis-cli rebalance, pipeline 100',
      move: (cluster) => cluster.giveByClient(['--cluster-pipeline', '100']),
    },
  ],
  aims: [
    {
      text: '--fast: times redis-cli in keys/s, moving alone',
      ours: FAST.name,
      theirs: 'redis-cli rebalance',
      atLeast: 6,
      clock: 'movingMs',
    },
    {
      text: 'default: times redis-cli in keys/s, moving alone',
      ours: GENTLE.name,
      theirs: 'redis-cli rebalance',
      atLeast: 3,
      clock: 'movingMs',
    },
  ],
};

const VALKEY: Comparison = {
  ours: [GENTLE],
  theirs: [
    {
      name: 'valkey-cli rebalance, atomic',
      move: (cluster) => cluster.giveByClient(['--cluster-use-atomic-slot-migration']),
    },
    { name: 'valkey-cli rebalance', move: (cluster) => cluster.giveByClient([]) },
  ],
  aims: [
    {
      text: 'whole time against atomic valkey-cli',
      ours: GENTLE.name,
      theirs: 'valkey-cli rebalance, atomic',
      atMost: 1.25,
      clock: 'totalMs',
    },
  ],
};

const REDIS_8: Comparison = {
  ours: [GENTLE],
  theirs: [{ name: 'three bare imports', move: (cluster) => cluster.giveByImport() }],
  aims: [
    {
      text: 'whole time against three bare imports',
      ours: GENTLE.name,
      theirs: 'three bare imports',
      atMost: 1.25,
      clock: 'totalMs',
    },
  ],
};

const SMALL_BYTES = 100;
const LARGE_BYTES = 10 * 1024;
const LATENCY_RATE_PER_S = 500;
const LATENCY_IDLE_MS = 10_000;
const AIM_P99 = 1.5;
const AIM_EMPTY_MS = 1_000;

export async function benchReshard(options: ReshardOptions): Promise<Report> {
  const { releases } = options;
  const figures: Figure[] = [];
  const aims: Aim[] = [];
  for (const [release, comparison] of [
    [releases.migrate, MIGRATE],
    [releases['valkey-atomic'], VALKEY],
    [releases['redis-atomic'], REDIS_8],
  ] as const) {
    if ('missing' in release) continue;
    const taken = await benchRelease(options, release, comparison);
    figures.push(...taken.figures);
    aims.push(...taken.aims);
  }
  const remarks = [
    `Four shards with ${options.replicas} replicas each on this machine; the fourth has no slots and gets 4096.`,
    'total: from the approved plan to the verified end (ours), or from start to return (theirs).',
    'moving: from the first to the last moment at which a mover was at work.',
    `Latency: another process, ${LATENCY_RATE_PER_S} reads and writes a second.`,
  ];
  return { bench: 'reshard', figures, aims, remarks };
}

async function benchRelease(
  options: ReshardOptions,
  release: BuiltRelease,
  comparison: Comparison,
): Promise<Pick<Report, 'figures' | 'aims'>> {
  const cluster = await ReshardCluster.start({ release, replicas: options.replicas });
  try {
    await cluster.drain();
    const figures: Figure[] = [];
    const empty = await benchEmpty(cluster, options, comparison);
    figures.push(...empty.figures);
    const aims: Aim[] = [...empty.aims];
    for (const [count, bytes] of [
      [options.keys, SMALL_BYTES],
      [options.keys / 10, LARGE_BYTES],
    ] as const) {
      await cluster.load(count, bytes);
      const data = `${release.name}, ${count} × ${bytes} B`;
      const taken = await benchData(cluster, { options, comparison, data });
      figures.push(...taken.figures);
      aims.push(...taken.aims);
      if ((await cluster.countKeys()) < count) throw new Error(`${data}: keys are missing`);
    }
    const latency = await benchLatency(cluster, comparison);
    return { figures: [...figures, ...latency.figures], aims: [...aims, ...latency.aims] };
  } finally {
    await cluster.stop();
  }
}

async function benchEmpty(
  cluster: ReshardCluster,
  { runs }: ReshardOptions,
  { ours, theirs }: Comparison,
): Promise<Pick<Report, 'figures' | 'aims'>> {
  const { name } = cluster.release;
  const [own, peer] = [ours[0], theirs[0]] as [Side, Side];
  const times = new Map<Side, number[]>([own, peer].map((side) => [side, []]));
  for (let run = 0; run < runs; run += 1) {
    for (const [side, list] of times) {
      list.push((await side.move(cluster)).totalMs);
      await cluster.drain();
    }
  }
  const figures = [...times].map(([side, list]) =>
    figure(`${name}, 4096 empty slots: ${side.name}, total`, 'ms', list),
  );
  const seen = figures[0]?.median ?? Number.NaN;
  const text = `${name}, 4096 empty slots: at most ${AIM_EMPTY_MS} ms`;
  return { figures, aims: [{ text, seen, met: seen <= AIM_EMPTY_MS }] };
}

async function benchData(
  cluster: ReshardCluster,
  given: {
    readonly options: ReshardOptions;
    readonly comparison: Comparison;
    readonly data: string;
  },
): Promise<Pick<Report, 'figures' | 'aims'>> {
  const { options, comparison, data } = given;
  const sides = [...comparison.ours, ...comparison.theirs];
  const times = new Map<string, Timing[]>(sides.map(({ name }) => [name, []]));
  for (let run = 0; run < options.runs; run += 1) {
    for (const side of sides) {
      times.get(side.name)?.push(await side.move(cluster));
      await cluster.drain();
    }
  }
  const median = (name: string, clock: keyof Timing): number =>
    figure(
      '',
      '',
      (times.get(name) ?? []).map((timing) => timing[clock]),
    ).median;
  const figures = sides.flatMap(({ name }) => [
    figure(
      `${data}: ${name}, total`,
      'ms',
      (times.get(name) ?? []).map((t) => t.totalMs),
    ),
    figure(
      `${data}: ${name}, moving`,
      'ms',
      (times.get(name) ?? []).map((t) => t.movingMs),
    ),
  ]);
  const aims = comparison.aims.map(({ text, ours, theirs, atLeast, atMost = 0, clock }): Aim => {
    const ratio = median(ours, clock) / median(theirs, clock);
    if (atLeast === undefined) {
      return { text: `${data}: ${text}, at most ${atMost}`, seen: ratio, met: ratio <= atMost };
    }
    const times_ = 1 / ratio;
    return { text: `${data}: ${text}, at least ${atLeast}`, seen: times_, met: times_ >= atLeast };
  });
  return { figures, aims };
}

/** What a client notices: idle, during ours, during theirs; on the data that was loaded last. */
async function benchLatency(
  cluster: ReshardCluster,
  { ours, theirs }: Comparison,
): Promise<Pick<Report, 'figures' | 'aims'>> {
  const { name } = cluster.release;
  const gentle = ours.at(-1) as Side;
  const peer = theirs[0] as Side;
  const idle = await withClient(cluster, () => delay(LATENCY_IDLE_MS));
  const cpuBefore = agentCpuMs(cluster);
  const during = await withClient(cluster, async () => void (await gentle.move(cluster)));
  const cpuMs = agentCpuMs(cluster) - cpuBefore;
  await cluster.drain();
  const peerDuring = await withClient(cluster, async () => void (await peer.move(cluster)));
  await cluster.drain();
  const figures = [
    ...latencyFigures(`${name}, idle`, idle),
    ...latencyFigures(`${name}, during ${gentle.name}`, during),
    ...latencyFigures(`${name}, during ${peer.name}`, peerDuring),
    figure(`${name}: CPU of agents and movers during ${gentle.name}`, 'ms', [cpuMs]),
  ];
  const ratio = during.p99Ms / idle.p99Ms;
  const aims = [
    { text: `${name}: p99 during ours, times idle`, seen: ratio, met: ratio <= AIM_P99 },
    { text: `${name}: errors of the client`, seen: during.errors, met: during.errors === 0 },
  ];
  return { figures, aims };
}

function latencyFigures(name: string, report: LatencyReport): Figure[] {
  return [
    figure(`${name}: p50`, 'ms', [report.p50Ms]),
    figure(`${name}: p99`, 'ms', [report.p99Ms]),
    figure(`${name}: p99.9`, 'ms', [report.p999Ms]),
    figure(`${name}: max`, 'ms', [report.maxMs]),
    figure(`${name}: errors`, '', [report.errors]),
  ];
}

async function withClient(
  cluster: ReshardCluster,
  action: () => Promise<void>,
): Promise<LatencyReport> {
  const { nodes, password } = cluster.access;
  const script = fileURLToPath(new URL('latency-client.ts', import.meta.url));
  const [first] = nodes;
  const args = [script, `${first?.host}:${first?.port}`, String(LATENCY_RATE_PER_S)];
  const client = execa(process.execPath, args, { env: { REDISCLI_AUTH: password } });
  try {
    await action();
    client.stdin.end();
    return JSON.parse((await client).stdout) as LatencyReport;
  } finally {
    client.kill();
    await client.catch(() => undefined);
  }
}

/** Of the agents and of the children that they have waited for; movers are among these. */
function agentCpuMs(cluster: ReshardCluster): number {
  return cluster.agentPids().reduce((sum, pid) => sum + cpuMsOf(pid), 0);
}

/** utime, stime, cutime and cstime of /proc/PID/stat (proc(5)), in ticks of 10 ms. */
function cpuMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * 10, 0);
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
