import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isCutOff } from '../../model/cut-off.ts';
import type { HostStatus } from '../../model/host.ts';
import type { Layout } from '../../model/layout.ts';
import { DEFAULT_MOVE_OPTIONS } from '../../model/migration.ts';
import type { Observation, ProcessState } from '../../model/observation.ts';
import type { Operation } from '../../model/operation.ts';
import { settledCluster } from '../../placement/testing/settled-cluster.ts';
import { layoutOf } from '../testing/examples.ts';
import { decideAutoRepair, type AutoRepairInput } from './decide-auto-repair.ts';

const layout = layoutOf({ hosts: 3, shards: 3, replicas: 1 });
const NOW = 1_700_000_000_000;
const MINUTE_MS = 60_000;
const QUIET_MS = 5 * MINUTE_MS;

/** Quiet for long, with something to repair: one begins. */
function input(fields: Partial<AutoRepairInput> = {}): AutoRepairInput {
  return {
    spec: { repair: 'auto', repairQuietMs: QUIET_MS },
    layout,
    observation: settledCluster(layout),
    allHosts: hostsThat(['online', 'online', 'online']),
    quietSinceMs: NOW - 600 * MINUTE_MS,
    pastRepairs: [],
    lastOperation: undefined,
    hasWork: true,
    underWay: false,
    now: NOW,
    ...fields,
  };
}

function hostsThat(statuses: readonly HostStatus[]) {
  return statuses.map((status) => ({ status }));
}

function withStatuses(statuses: Readonly<Record<string, HostStatus>>): Observation {
  const observation = settledCluster(layout);
  const hosts = Object.entries(observation.hosts).map(([name, host]) => [
    name,
    { ...host, status: statuses[name] ?? host.status },
  ]);
  return { ...observation, hosts: Object.fromEntries(hosts) };
}

function withStates(states: Readonly<Record<string, ProcessState>>): Observation {
  const observation = settledCluster(layout);
  const nodes = Object.entries(observation.nodes).map(([key, node]) => [
    key,
    { ...node, process: { ...node.process, state: states[key] ?? node.process.state } },
  ]);
  return { ...observation, nodes: Object.fromEntries(nodes) };
}

/** It took a minute, and ended `minutesAgo`. */
function repaired(minutesAgo: number, fields: Partial<Operation> = {}): Operation {
  const endedAtMs = NOW - minutesAgo * MINUTE_MS;
  return {
    id: `op-${minutesAgo}`,
    cluster: 'shop',
    kind: 'repair',
    layoutNumber: 1,
    state: 'done',
    createdAtMs: endedAtMs - MINUTE_MS,
    endedAtMs,
    message: '',
    purge: false,
    reason: 'repair',
    automatic: true,
    move: DEFAULT_MOVE_OPTIONS,
    ...fields,
  };
}

describe('an automatic repair', () => {
  it('begins once it has been quiet for long enough', () => {
    expect(decideAutoRepair(input())).toEqual({
      kind: 'repair',
      reason: 'Nothing has changed for 300 s.',
      dueAtMs: undefined,
    });
    const sooner = input({ quietSinceMs: NOW - QUIET_MS + 1 });
    expect(decideAutoRepair(sooner)).toEqual({
      kind: 'waiting',
      reason: 'A repair begins when nothing has changed for 300 s.',
      dueAtMs: NOW + 1,
    });
    expect(decideAutoRepair({ ...sooner, now: NOW + 1 }).kind).toBe('repair');
  });

  it.each<[string, AutoRepairInput, string, string]>([
    [
      'where the spec leaves it to people',
      input({ spec: { repair: 'manual', repairQuietMs: 0 } }),
      'idle',
      'repair: manual',
    ],
    ['with nothing to do', input({ hasWork: false }), 'idle', 'nothing to repair'],
    ['beside an operation', input({ underWay: true }), 'waiting', 'operation'],
    [
      'while most hosts are silent',
      input({ allHosts: hostsThat(['online', 'lost', 'suspect']) }),
      'frozen',
      '2 of 3 hosts are silent',
    ],
    [
      'while most hosts are silent, though nothing is seen to be wrong',
      input({ allHosts: hostsThat(['lost', 'lost', 'lost']), hasWork: false }),
      'frozen',
      'cut off',
    ],
    [
      'what a person has cancelled',
      input({
        lastOperation: repaired(60, { kind: 'change', state: 'cancelled', reason: 'drain' }),
      }),
      'frozen',
      'Operation op-60 (drain) was cancelled',
    ],
    [
      'to start what a removal has stopped',
      input({ lastOperation: repaired(60, { kind: 'remove', state: 'failed', reason: '' }) }),
      'frozen',
      'Operation op-60 (remove) has failed',
    ],
    [
      'while two hosts are away',
      input({ observation: withStatuses({ h1: 'lost', h2: 'suspect' }) }),
      'frozen',
      'h1 is lost; h2 is suspect',
    ],
    [
      'while nodes on two hosts are stuck',
      input({ observation: withStates({ 'h1:6379': 'held', 'h3:6379': 'crash-loop' }) }),
      'frozen',
      'h1: node h1:6379 is held; h3: node h3:6379 is crash-loop',
    ],
  ])('does not begin %s', (_when, given, kind, text) => {
    const decision = decideAutoRepair(given);
    expect(decision.kind).toBe(kind);
    expect(decision.reason).toContain(text);
    expect(decision.dueAtMs).toBeUndefined();
  });

  it.each<[string, Partial<AutoRepairInput>]>([
    ['a change has failed', { lastOperation: repaired(60, { kind: 'change', state: 'failed' }) }],
    ['one host is away', { observation: withStatuses({ h1: 'lost' }) }],
    [
      'nodes on one host are stuck',
      { observation: withStates({ 'h1:6379': 'absent', 'h1:6380': 'unresponsive' }) },
    ],
    [
      'one host is away and another drained',
      {
        layout: { ...layout, drainedHosts: ['h2'] } satisfies Layout,
        observation: withStatuses({ h1: 'lost', h2: 'lost' }),
      },
    ],
    [
      'nodes on two hosts come up',
      { observation: withStates({ 'h1:6379': 'starting', 'h2:6379': 'stopped' }) },
    ],
    ['as many hosts are silent as are heard', { allHosts: hostsThat(['online', 'lost']) }],
  ])('begins also while %s', (_when, fields) => {
    expect(decideAutoRepair(input(fields)).kind).toBe('repair');
  });
});

describe('repairs that follow each other', () => {
  it.each([
    [1, 10],
    [2, 20],
    [3, 40],
    [4, 60],
  ])('%i in an hour make the quiet period %i minutes', (count, minutes) => {
    const pastRepairs = Array.from({ length: count }, (_, index) => repaired(5 + 10 * index));
    // Something else has changed since, so that it goes on at all.
    const given = input({ pastRepairs, quietSinceMs: NOW - 2 * MINUTE_MS });
    const decision = decideAutoRepair(given);
    expect(decision.dueAtMs).toBe(given.quietSinceMs + minutes * MINUTE_MS);
    expect(decision.reason).toContain(`${minutes * 60} s, longer than usual after ${count}`);
  });

  it('count for an hour, and not if a person began them', () => {
    const kindAfter = (past: Operation) =>
      decideAutoRepair(input({ pastRepairs: [past], quietSinceMs: NOW - 7 * MINUTE_MS })).kind;
    expect(kindAfter(repaired(8))).toBe('waiting');
    expect(kindAfter(repaired(8, { automatic: false }))).toBe('repair');
    expect(kindAfter(repaired(60))).toBe('repair');
  });

  it('begin a quiet period, though nothing changed', () => {
    const pastRepairs = [repaired(2, { state: 'failed' })];
    expect(decideAutoRepair(input({ pastRepairs })).dueAtMs).toBe(NOW + 8 * MINUTE_MS);
  });

  it.each(['failed', 'cancelled', 'done'] as const)(
    'stop after three that %s and left something to repair',
    (state) => {
      const pastRepairs = [2, 23, 34].map((minutes) => repaired(minutes, { state }));
      const decision = decideAutoRepair(input({ pastRepairs }));
      expect(decision.kind).toBe('frozen');
      expect(decision.reason).toContain('The last 3 automatic repairs failed or left something');
      expect(decideAutoRepair(input({ pastRepairs: pastRepairs.slice(0, 2) })).kind).toBe(
        'waiting',
      );
      // However long it stays quiet.
      const later = input({ pastRepairs, now: NOW + 1000 * MINUTE_MS });
      expect(decideAutoRepair(later).kind).toBe('frozen');
    },
  );

  it('go on when a person has repaired, or the topology has changed otherwise', () => {
    const failed = [12, 23, 34].map((minutes) => repaired(minutes, { state: 'failed' }));
    const byHand = input({ pastRepairs: [repaired(1, { automatic: false }), ...failed] });
    expect(decideAutoRepair(byHand).kind).toBe('waiting');
    const changed = input({ pastRepairs: failed, quietSinceMs: NOW - 9 * MINUTE_MS });
    expect(decideAutoRepair(changed).kind).toBe('waiting');
    // What changes within the first minute is its own doing.
    const own = input({ pastRepairs: failed, quietSinceMs: NOW - 11.5 * MINUTE_MS });
    expect(decideAutoRepair(own).kind).toBe('frozen');
  });

  it('of long ago are no row', () => {
    const pastRepairs = [repaired(2), repaired(3000), repaired(6000)];
    expect(decideAutoRepair(input({ pastRepairs })).kind).toBe('waiting');
  });
});

describe('whatever happens', () => {
  const status = fc.constantFrom<HostStatus>('online', 'online', 'online', 'suspect', 'lost');
  const state = fc.constantFrom<ProcessState>(
    ...(['running', 'running', 'running', 'absent', 'stopped', 'held', 'crash-loop'] as const),
    ...(['unresponsive', 'backoff', 'starting', 'prepared'] as const),
  );
  const past = fc.record({
    endedAgo: fc.nat({ max: 180 }),
    automatic: fc.boolean(),
    outcome: fc.constantFrom<Operation['state']>('done', 'failed', 'cancelled'),
  });
  const given = fc
    .record({
      repair: fc.constantFrom<AutoRepairInput['spec']['repair']>('auto', 'auto', 'manual'),
      statuses: fc.tuple(status, status, status),
      states: fc.array(state, { minLength: 6, maxLength: 6 }),
      others: fc.array(status, { maxLength: 3 }),
      drained: fc.option(fc.constantFrom('h1', 'h2', 'h3')),
      quietAgo: fc.nat({ max: 200 }),
      pasts: fc.array(past, { maxLength: 5 }),
      hasWork: fc.boolean(),
      underWay: fc.boolean(),
    })
    .map((fields): AutoRepairInput => {
      const [h1, h2, h3] = fields.statuses;
      const keys = layout.nodes.map(({ key }) => key);
      const states = Object.fromEntries(keys.map((key, index) => [key, fields.states[index]!]));
      const { hosts } = withStatuses({ h1, h2, h3 });
      return input({
        spec: { repair: fields.repair, repairQuietMs: QUIET_MS },
        layout: { ...layout, drainedHosts: fields.drained === null ? [] : [fields.drained] },
        observation: { ...withStates(states), hosts },
        allHosts: hostsThat([...fields.statuses, ...fields.others]),
        quietSinceMs: NOW - fields.quietAgo * MINUTE_MS,
        pastRepairs: fields.pasts
          .toSorted((a, b) => a.endedAgo - b.endedAgo)
          .map(({ endedAgo, automatic, outcome }) =>
            repaired(endedAgo, { automatic, state: outcome }),
          ),
        hasWork: fields.hasWork,
        underWay: fields.underWay,
      });
    });

  it('never begins under any of the conditions that forbid it, and always says why', () => {
    fc.assert(
      fc.property(given, (example) => {
        const decision = decideAutoRepair(example);
        expect(decision.reason).not.toBe('');
        expect(decideAutoRepair(example)).toEqual(decision);
        expect(decision.dueAtMs ?? NOW + 1).toBeGreaterThan(NOW);
        const allowed = decision.kind !== 'repair' || whatForbids(example).length === 0;
        expect(allowed ? [] : whatForbids(example)).toEqual([]);
      }),
      { numRuns: 2000 },
    );
  });
});

/** Written anew, from what must never be rather than from what is done. */
function whatForbids(of: AutoRepairInput): string[] {
  const { observation, pastRepairs, quietSinceMs, now } = of;
  const troubled = ['h1', 'h2', 'h3'].filter((name) => {
    if (of.layout.drainedHosts.includes(name)) return false;
    const states = Object.values(observation.nodes)
      .filter(({ host }) => host === name)
      .map(({ process }) => process.state);
    const isStuck = states.some((each) =>
      ['absent', 'unresponsive', 'crash-loop', 'held'].includes(each),
    );
    return observation.hosts[name]?.status !== 'online' || isStuck;
  });
  const recent = pastRepairs.filter(
    ({ automatic, createdAtMs }) => automatic && now - createdAtMs < 60 * MINUTE_MS,
  );
  const needed = Math.min(QUIET_MS * 2 ** recent.length, 60 * MINUTE_MS);
  const lastThree = pastRepairs.slice(0, 3);
  const [last] = lastThree;
  const isUnchanged = quietSinceMs <= (last?.endedAtMs ?? 0);
  const allFailed =
    lastThree.length === 3 &&
    lastThree.every(({ automatic, state }) => automatic && state === 'failed');
  const isClose = (lastThree[0]?.endedAtMs ?? 0) - (lastThree[2]?.endedAtMs ?? 0) < 60 * MINUTE_MS;
  return [
    of.spec.repair === 'auto' ? '' : 'manual',
    isCutOff(of.allHosts) ? 'cut off' : '',
    troubled.length > 1 ? `troubled: ${troubled.join()}` : '',
    of.underWay ? 'under way' : '',
    of.hasWork ? '' : 'no work',
    now - quietSinceMs < needed ? 'not quiet' : '',
    now - (last?.endedAtMs ?? 0) < needed ? 'just repaired' : '',
    allFailed && isUnchanged && isClose ? 'three failed' : '',
  ].filter((reason) => reason !== '');
}
