/**
 * Moving a quarter of the slots to a fourth shard: Redrover beside the server's own command line client (and beside
 * bare `CLUSTER MIGRATION IMPORT`), same cluster, same data, turn by turn; what clients notice of it; and what it costs.
 */
import { setTimeout as delay } from 'node:timers/promises';

import type { BuiltRelease, ObtainedReleases } from '../support/built-release.ts';
import type { LatencyReport } from './latency-client.ts';
import { figure, type Aim, type Figure, type Report, type Table } from './report.ts';
import { ReshardCluster, type Timing } from './reshard-cluster.ts';
import { CLIENT_RATE_PER_S, withClient, withCost, type Cost } from './reshard-load.ts';
import { MIGRATE, REDIS_8, VALKEY, type Comparison, type Side } from './reshard-sides.ts';

export interface ReshardOptions {
  readonly releases: ObtainedReleases;
  readonly runs: number;
  /** Of 100 bytes each; a tenth as many of 10 KiB are moved as well. */
  readonly keys: number;
  /** Of each shard. */
  readonly replicas: number;
  /** Engines to take figures of; none: all. */
  readonly engines: readonly string[];
}

interface Data {
  readonly release: string;
  readonly keys: number;
  /** As rows are called. */
  readonly name: string;
}

interface Row {
  readonly data: Data;
  readonly side: string;
  readonly isLoaded: boolean;
  readonly timings: readonly Timing[];
  readonly costs: readonly Cost[];
  readonly latency: LatencyReport | undefined;
}

const SMALL_BYTES = 100;
const LARGE_BYTES = 10 * 1024;
const LATENCY_IDLE_MS = 10_000;
const AIM_P99 = 1.5;
const AIM_EMPTY_MS = 1_000;
/** Of the four shards one gets its part. */
const PART = 1 / 4;
/** Whose processor time is taken. */
const CPU_COSTS: readonly (readonly [string, (cost: Cost) => number])[] = [
  ['movers', ({ moverCpuMs }) => moverCpuMs],
  ['agents', ({ agentCpuMs }) => agentCpuMs],
  ['the controller', ({ controllerCpuMs }) => controllerCpuMs],
];

export async function benchReshard(options: ReshardOptions): Promise<Report> {
  const rows: Row[] = [];
  const aims: Aim[] = [];
  for (const [engine, comparison] of [
    ['migrate', MIGRATE],
    ['valkey-atomic', VALKEY],
    ['redis-atomic', REDIS_8],
  ] as const) {
    const release = options.releases[engine];
    if ('missing' in release) process.stdout.write(`  left out: ${release.missing}\n`);
    else if (options.engines.length === 0 || options.engines.includes(engine)) {
      const taken = await benchRelease(options, release, comparison);
      rows.push(...taken.rows);
      aims.push(...taken.aims);
    }
  }
  const remarks = [
    `Four shards with ${options.replicas} replicas each, appendonly, on this machine; the fourth gets a quarter.`,
    'total: from the approved plan to the verified end (ours), or from start to return (theirs).',
    'moving: from the first to the last moment at which a mover was at work.',
    `client: another process, ${CLIENT_RATE_PER_S} reads and writes a second.`,
  ];
  return {
    bench: 'reshard',
    figures: rows.flatMap(figuresOf),
    aims,
    remarks,
    tables: tablesOf(rows),
  };
}

interface Taken {
  readonly rows: readonly Row[];
  readonly aims: readonly Aim[];
}

async function benchRelease(
  options: ReshardOptions,
  release: BuiltRelease,
  comparison: Comparison,
): Promise<Taken> {
  const cluster = await ReshardCluster.start({ release, replicas: options.replicas });
  const rows: Row[] = [];
  const aims: Aim[] = [];
  const add = (taken: Taken): void => {
    rows.push(...taken.rows);
    aims.push(...taken.aims);
  };
  try {
    await cluster.drain();
    add(await benchEmpty(cluster, options, comparison));
    for (const [keys, bytes] of [
      [options.keys, SMALL_BYTES],
      [options.keys / 10, LARGE_BYTES],
    ] as const) {
      await cluster.load(keys, bytes);
      const name = `${release.name}, ${keys} × ${bytes} B`;
      const data = { release: release.name, keys, name };
      const idle = await benchIdle(cluster, { options, comparison, data });
      add(idle);
      add(await benchLoaded(cluster, { options, comparison, data }));
      if ((await cluster.countKeys()) < keys) throw new Error(`${name}: keys are missing`);
    }
    return { rows, aims };
  } finally {
    await cluster.stop();
  }
}

async function benchEmpty(
  cluster: ReshardCluster,
  { runs }: ReshardOptions,
  { empty }: Comparison,
): Promise<Taken> {
  const { name: release } = cluster.release;
  const data = { release, keys: 0, name: `${release}, 4096 empty slots` };
  const rows = await takeTurns(cluster, empty, { runs, data });
  const seen = medianOf(rows[0], 'totalMs');
  const text = `${data.name}: at most ${AIM_EMPTY_MS} ms`;
  return { rows, aims: [{ text, seen, met: seen <= AIM_EMPTY_MS }] };
}

interface Given {
  readonly options: ReshardOptions;
  readonly comparison: Comparison;
  readonly data: Data;
}

async function benchIdle(cluster: ReshardCluster, given: Given): Promise<Taken> {
  const { options, comparison, data } = given;
  const rows = await takeTurns(cluster, comparison.sides, { runs: options.runs, data });
  const rowOf = ({ name }: Side): Row | undefined => rows.find(({ side }) => side === name);
  const aims = comparison.aims.map(({ text, ours, theirs, atLeast, atMost = 0, clock }): Aim => {
    const ratio = medianOf(rowOf(ours), clock) / medianOf(rowOf(theirs), clock);
    const [seen, bound] =
      atLeast === undefined ? [ratio, `at most ${atMost}`] : [1 / ratio, `at least ${atLeast}`];
    const met = atLeast === undefined ? seen <= atMost : seen >= atLeast;
    return { text: `${data.name}: ${text}, ${bound}`, seen, met };
  });
  return { rows, aims };
}

/** Turn by turn, so that whatever else the machine does falls on all of them. */
async function takeTurns(
  cluster: ReshardCluster,
  sides: readonly Side[],
  { runs, data }: { readonly runs: number; readonly data: Data },
): Promise<Row[]> {
  const rows = sides.map(({ name }) => ({
    data,
    side: name,
    isLoaded: false,
    timings: [] as Timing[],
    costs: [] as Cost[],
    latency: undefined,
  }));
  for (let run = 0; run < runs; run += 1) {
    for (const [index, side] of sides.entries()) {
      if (side.isOnce === true && run > 0) continue;
      const { value, cost } = await withCost(cluster, () => side.move(cluster));
      rows[index]?.timings.push(value);
      rows[index]?.costs.push(cost);
      report(data.name, side.name, value);
      await cluster.drain();
    }
  }
  return rows;
}

/** What a client notices: of nothing, of ours, of theirs. */
async function benchLoaded(cluster: ReshardCluster, { comparison, data }: Given): Promise<Taken> {
  const { loaded, gentle } = comparison;
  const idle = await withClient(cluster, () => delay(LATENCY_IDLE_MS));
  const row = { data, isLoaded: true };
  const rows: Row[] = [{ ...row, side: 'nobody', timings: [], costs: [], latency: idle.latency }];
  const aims: Aim[] = [];
  for (const side of loaded) {
    const taken = await withCost(cluster, () => withClient(cluster, () => side.move(cluster)));
    const { value, latency } = taken.value;
    rows.push({ ...row, side: side.name, timings: [value], costs: [taken.cost], latency });
    report(`${data.name}, beside a client`, side.name, value);
    await cluster.drain();
    if (!side.name.startsWith('redrover')) continue;
    const { errors } = latency;
    const subject = `${data.name}, ${side.name}`;
    aims.push({ text: `${subject}: no error of the client`, seen: errors, met: errors === 0 });
    if (side !== gentle) continue;
    const seen = latency.p99Ms / idle.latency.p99Ms;
    const text = `${subject}: p99 of the client, at most ${AIM_P99} of idle`;
    aims.push({ text, seen, met: seen <= AIM_P99 });
  }
  return { rows, aims };
}

/** Whoever waits for a quarter of an hour sees how far it is. */
function report(data: string, side: string, { totalMs }: Timing): void {
  process.stdout.write(`  ${data}: ${side} ${(totalMs / 1000).toFixed(2)} s\n`);
}

function medianOf(row: Row | undefined, clock: keyof Timing): number {
  return figure('', '', row?.timings.map((timing) => timing[clock]) ?? []).median;
}

function figuresOf({ data, side, isLoaded, timings, costs, latency }: Row): Figure[] {
  const name = `${data.name}${isLoaded ? ', beside a client' : ''}: ${side}`;
  const figures: Figure[] = [];
  const add = (what: string, unit: string, values: readonly number[]): void => {
    if (values.length > 0) figures.push(figure(`${name}, ${what}`, unit, values));
  };
  add(
    'total',
    'ms',
    timings.map(({ totalMs }) => totalMs),
  );
  add(
    'moving',
    'ms',
    timings.map(({ movingMs }) => movingMs),
  );
  if (side.startsWith('redrover')) {
    for (const [what, of] of CPU_COSTS) add(`CPU of ${what}`, 'ms', costs.map(of));
    add(
      'memory of a mover',
      'MiB',
      costs.map(({ moverRssMib }) => moverRssMib),
    );
  }
  if (latency !== undefined) {
    add('p50', 'ms', [latency.p50Ms]);
    add('p99', 'ms', [latency.p99Ms]);
    add('p99.9', 'ms', [latency.p999Ms]);
    add('max', 'ms', [latency.maxMs]);
    add('errors', '', [latency.errors]);
  }
  return figures;
}

function tablesOf(rows: readonly Row[]): Table[] {
  const speed = rows.filter(({ timings }) => timings.length > 0);
  const felt = rows.filter(({ latency }) => latency !== undefined);
  const cpuHeads = CPU_COSTS.map(([what]) => `CPU of ${what} s`);
  return [
    {
      head: ['moved by', 'total s', 'moving s', 'keys/s', ...cpuHeads, 'mover MiB'],
      rows: grouped(speed, (row) => {
        const movingMs = medianOf(row, 'movingMs');
        const ours = row.side.startsWith('redrover');
        const cost = (of: (cost: Cost) => number): number =>
          figure('', '', row.costs.map(of)).median;
        return [
          `${row.side}${row.isLoaded ? ', beside a client' : ''}`,
          (medianOf(row, 'totalMs') / 1000).toFixed(2),
          (movingMs / 1000).toFixed(2),
          row.data.keys === 0 ? '' : ((row.data.keys * PART) / (movingMs / 1000)).toFixed(0),
          ...CPU_COSTS.map(([, of]) => (ours ? (cost(of) / 1000).toFixed(2) : '')),
          ours ? cost(({ moverRssMib }) => moverRssMib).toFixed(0) : '',
        ];
      }),
    },
    {
      head: ['client, while moved by', 'p50 ms', 'p99 ms', 'p99.9 ms', 'max ms', 'errors'],
      rows: grouped(felt, ({ side, latency }) => [
        side,
        ...[latency?.p50Ms, latency?.p99Ms, latency?.p999Ms, latency?.maxMs].map(
          (ms) => ms?.toFixed(2) ?? '',
        ),
        String(latency?.errors ?? ''),
      ]),
    },
  ];
}

/** A line for each data set, above its rows. */
function grouped(rows: readonly Row[], cellsOf: (row: Row) => string[]): string[][] {
  return [...Map.groupBy(rows, ({ data }) => data.name)].flatMap(([name, own]) => [
    [name],
    ...own.map((row) => {
      const [first = '', ...rest] = cellsOf(row);
      return [`  ${first}`, ...rest];
    }),
  ]);
}
