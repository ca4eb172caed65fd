/** Ways that random seeds have found, and that once ended somewhere else, in the terms of the properties of moves. */
import type { Shape } from './examples.ts';
import type { Fate } from './fate.ts';
import type { Reshape } from './reshapes.ts';
import type { Story } from './stories.ts';

/** The last: of the luck. */
type Change = [Shape, Reshape, Story, number];
type Changes = [Shape, [Reshape, Story][], number];
type Turn = Story['turns'][number];

function turnWith(strike: Turn['strike'], fates: readonly Fate[] = ['ok']): Turn {
  return { fates, settles: false, forgets: false, strike };
}

/** A master was elected for a shard that shall have no slots, and what it has goes to a third one. */
const ELECTED_FOR_NOTHING: Change = [
  { hosts: 3, shards: 5, replicas: 1 },
  { shards: 6, replicas: 0, dropped: 0, runs: [{ weight: 1, shard: 0 }] },
  {
    strikes: [{ pick: 17, misfortune: 'stray' }],
    turns: [turnWith({ pick: 25, misfortune: 'stop' })],
  },
  0,
];

/** The only replica of the shard that shall get all slots was elected for another one. */
const COPY_ELECTED_ELSEWHERE: Change = [
  { hosts: 3, shards: 3, replicas: 1 },
  { shards: 3, replicas: 1, dropped: 0, runs: [{ weight: 1, shard: 0 }] },
  {
    strikes: [
      { pick: 19, misfortune: 'stray' },
      { pick: 28, misfortune: 'stop' },
    ],
    turns: [],
  },
  0,
];

/** A replica follows a master that has no slots any more, and whose shard another one serves. */
const FOLLOWS_NOBODY: Change = [
  { hosts: 3, shards: 4, replicas: 1 },
  { shards: 4, replicas: 0, dropped: 0, runs: [{ weight: 1, shard: 1 }] },
  {
    strikes: [
      { pick: 21, misfortune: 'stray' },
      { pick: 4, misfortune: 'stop' },
    ],
    turns: [turnWith({ pick: 0, misfortune: 'stop' }, ['never-begun'])],
  },
  0,
];

/** Who was elected has more of what a third shard shall have than that shard's own master. */
const OWNS_MORE: Change = [
  { hosts: 4, shards: 4, replicas: 1 },
  {
    shards: 5,
    replicas: 0,
    dropped: 0,
    runs: [
      { weight: 2, shard: 0 },
      { weight: 1, shard: 2 },
    ],
  },
  {
    strikes: [{ pick: 25, misfortune: 'stray' }],
    turns: [turnWith({ pick: 21, misfortune: 'stop' })],
  },
  0,
];

/** All replicas of a shard follow the master of another one, whose slots that shard shall have. */
const MASTER_OF_TWO: Change = [
  { hosts: 3, shards: 4, replicas: 2 },
  {
    shards: 3,
    replicas: 2,
    dropped: 0,
    runs: [
      { weight: 1, shard: 5 },
      { weight: 1, shard: 1 },
    ],
  },
  {
    strikes: [
      { pick: 1, misfortune: 'stray' },
      { pick: 18, misfortune: 'stop' },
    ],
    turns: [],
  },
  0,
];

/** Masters serve each other's shards, and the only replica of one shall be the other's: that is said, not waited for. */
const WAITS_FOR_A_STRAY: Change = [
  { hosts: 4, shards: 3, replicas: 1 },
  {
    shards: 4,
    replicas: 0,
    dropped: 0,
    runs: [
      { weight: 2, shard: 2 },
      { weight: 1, shard: 0 },
      { weight: 1, shard: 1 },
      { weight: 1, shard: 0 },
    ],
  },
  {
    strikes: [{ pick: 23, misfortune: 'stop' }],
    turns: [
      turnWith({ pick: 19, misfortune: 'stray' }),
      turnWith({ pick: 12, misfortune: 'stray' }),
      turnWith({ pick: 13, misfortune: 'stop' }),
    ],
  },
  0,
];

/** The only replica that a shard shall have is master of another one, and hands it over once others are moved. */
const WAITS_FOR_A_MASTER: Change = [
  { hosts: 4, shards: 3, replicas: 1 },
  {
    shards: 4,
    replicas: 0,
    dropped: 0,
    runs: [
      { weight: 1, shard: 0 },
      { weight: 2, shard: 2 },
      { weight: 1, shard: 0 },
      { weight: 2, shard: 1 },
      { weight: 1, shard: 0 },
    ],
  },
  {
    strikes: [{ pick: 23, misfortune: 'crash' }],
    turns: [
      turnWith({ pick: 19, misfortune: 'stray' }),
      turnWith({ pick: 12, misfortune: 'stray' }),
      turnWith({ pick: 13, misfortune: 'stop' }),
    ],
  },
  0,
];

/** Three new nodes have met each other, and nobody of those that have all slots. */
const NEWCOMERS_ALONE: Changes = [
  { hosts: 3, shards: 3, replicas: 1 },
  [
    [
      { shards: 3, replicas: 1, dropped: 0, runs: [{ weight: 1, shard: 0 }] },
      {
        strikes: [{ pick: 0, misfortune: 'stop' }],
        turns: [turnWith({ pick: 14, misfortune: 'vanish' })],
      },
    ],
    [
      { shards: 3, replicas: 0, dropped: 0, runs: [{ weight: 1, shard: 0 }] },
      {
        strikes: [
          { pick: 20, misfortune: 'wipe' },
          { pick: 0, misfortune: 'lose-identity' },
        ],
        turns: [],
      },
    ],
  ],
  0,
];

/** A slot of the second change is half way to a master that vanishes in the third, which wants it back where it is. */
const HALF_WAY_TO_NOBODY: Changes = [
  { hosts: 3, shards: 6, replicas: 2 },
  [
    [
      {
        shards: 3,
        replicas: 0,
        dropped: 2,
        runs: [
          { weight: 2, shard: 0 },
          { weight: 3, shard: 1 },
        ],
      },
      {
        strikes: [{ pick: 19, misfortune: 'stop' }],
        turns: [
          { fates: ['ok'], settles: true, forgets: false, strike: undefined },
          { fates: ['ok'], settles: true, forgets: false, strike: undefined },
          { fates: ['failed', 'ok'], settles: false, forgets: false, strike: undefined },
        ],
      },
    ],
    [
      { shards: 3, replicas: 0, dropped: 0, runs: [{ weight: 1, shard: 0 }] },
      { strikes: [], turns: [] },
    ],
    [
      {
        shards: 4,
        replicas: 0,
        dropped: 0,
        runs: [
          { weight: 1, shard: 5 },
          { weight: 1, shard: 0 },
        ],
      },
      {
        strikes: [
          { pick: 1, misfortune: 'stop' },
          { pick: 0, misfortune: 'vanish' },
        ],
        turns: [],
      },
    ],
  ],
  0,
];

export const CHANGES: Change[] = [
  ELECTED_FOR_NOTHING,
  COPY_ELECTED_ELSEWHERE,
  FOLLOWS_NOBODY,
  OWNS_MORE,
  MASTER_OF_TWO,
  WAITS_FOR_A_STRAY,
  WAITS_FOR_A_MASTER,
];

export const OVERTAKEN: Changes[] = [NEWCOMERS_ALONE, HALF_WAY_TO_NOBODY];
