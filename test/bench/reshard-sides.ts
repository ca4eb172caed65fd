/** Who moves a quarter of the slots, and how much faster we mean to be: a comparison for each engine. */
import type { ReshardCluster, Timing } from './reshard-cluster.ts';

export interface Side {
  readonly name: string;
  readonly move: (cluster: ReshardCluster) => Promise<Timing>;
  /** Only for its own sake: one run is enough. */
  readonly isOnce?: boolean;
}

export interface SpeedAim {
  readonly text: string;
  readonly ours: Side;
  readonly theirs: Side;
  /** Of theirs / ours, at least; or of ours / theirs, at most. */
  readonly atLeast?: number;
  readonly atMost?: number;
  readonly clock: keyof Timing;
}

export interface Comparison {
  readonly sides: readonly Side[];
  /** What people get who ask for nothing, and what they would take without us. */
  readonly gentle: Side;
  readonly peer: Side;
  /** Also moved beside a client at work. */
  readonly loaded: readonly Side[];
  /** For slots without keys. */
  readonly empty: readonly [ours: Side, theirs: Side];
  readonly aims: readonly SpeedAim[];
}

const GENTLE: Side = { name: 'redrover', move: (cluster) => cluster.giveShare({}) };
const FAST: Side = {
  name: 'redrover --fast',
  move: (cluster) => cluster.giveShare({ pace: 'fast' }),
};
const REBALANCE: Side = { name: 'redis-cli', move: (cluster) => cluster.giveByClient([]) };
const PIPELINED: Side = {
  name: 'redis-cli, pipeline 100',
  move: (cluster) => cluster.giveByClient(['--cluster-pipeline', '100']),
  isOnce: true,
};
const ATOMIC: Side = {
  name: 'valkey-cli, atomic',
  move: (cluster) => cluster.giveByClient(['--cluster-use-atomic-slot-migration']),
};
const KEY_BY_KEY: Side = {
  name: 'valkey-cli',
  move: (cluster) => cluster.giveByClient([]),
  isOnce: true,
};
const IMPORTS: Side = {
  name: 'three bare imports',
  move: (cluster) => cluster.giveByImport(),
};

export const MIGRATE: Comparison = {
  sides: [FAST, REBALANCE, GENTLE, PIPELINED],
  gentle: GENTLE,
  peer: REBALANCE,
  loaded: [FAST, GENTLE, REBALANCE],
  empty: [FAST, REBALANCE],
  aims: [
    {
      text: '--fast, times redis-cli in keys/s, moving alone',
      ours: FAST,
      theirs: REBALANCE,
      atLeast: 6,
      clock: 'movingMs',
    },
    {
      text: 'default, times redis-cli in keys/s, moving alone',
      ours: GENTLE,
      theirs: REBALANCE,
      atLeast: 3,
      clock: 'movingMs',
    },
  ],
};

export const VALKEY: Comparison = {
  sides: [GENTLE, ATOMIC, KEY_BY_KEY],
  gentle: GENTLE,
  peer: ATOMIC,
  loaded: [GENTLE, ATOMIC],
  empty: [GENTLE, ATOMIC],
  aims: [
    {
      text: 'whole time against atomic valkey-cli',
      ours: GENTLE,
      theirs: ATOMIC,
      atMost: 1.25,
      clock: 'totalMs',
    },
  ],
};

export const REDIS_8: Comparison = {
  sides: [GENTLE, IMPORTS],
  gentle: GENTLE,
  peer: IMPORTS,
  loaded: [GENTLE, IMPORTS],
  empty: [GENTLE, IMPORTS],
  aims: [
    {
      text: 'whole time against three bare imports',
      ours: GENTLE,
      theirs: IMPORTS,
      atMost: 1.25,
      clock: 'totalMs',
    },
  ],
};
