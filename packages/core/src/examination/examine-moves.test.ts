/** What an examination says while slots are on their way, and after they were left there. */
import { describe, expect, it } from 'vitest';
import type { MoverObservation } from '../model/migration.ts';
import { forecastSteps } from '../planning/testing/forecast-steps.ts';
import { settle } from '../planning/settle.ts';
import { applyRound } from '../planning/simulate.ts';
import type { PlanInput } from '../planning/situation.ts';
import {
  layoutOf,
  NOW,
  runningCluster,
  withHost,
  withRedis,
  withViewEntry,
} from '../planning/testing/examples.ts';
import { beginChange, nextLayout, withKeys } from '../planning/testing/next-layout.ts';
import { checkCluster, examineCluster } from './examine-cluster.ts';
import type { ExaminationInput } from './picture.ts';
import { summarizeCluster } from './summarize-cluster.ts';
import { whatIf } from './what-if.ts';

/** s4 is on h4:6380 and h1:6380. */
const three = layoutOf({ hosts: 4, shards: 3, replicas: 1 });
const four = nextLayout(three, { hosts: 4, shards: 4, replicas: 1 });
const begun = beginChange(settle(withKeys(runningCluster(three).observation)), three, four);

/** The change as it is when slots are about to move. */
const ready = playTo(begun, 'moveSlots');

function playTo(input: PlanInput, kind: string): PlanInput {
  let { observation } = input;
  for (const steps of forecastSteps(input).rounds) {
    if (steps.some((step) => step.kind === kind)) break;
    observation = settle(applyRound(observation, steps, input.layout));
  }
  return { ...input, observation };
}

const OURS = { id: 'op-1', state: 'running' } as const;

function rulesOf(
  { layout, former, observation }: PlanInput,
  underWay?: ExaminationInput['underWay'],
): string[] {
  const found = examineCluster({ layout, former, observation, hosts: [], now: NOW, underWay });
  return found.map(({ rule, subject }) => `${rule} ${subject}`);
}

const mover: MoverObservation = {
  id: 'm1',
  cluster: 'shop',
  engine: 'migrate',
  source: 'h1:6379',
  target: 'h2:6380',
  slots: [{ start: 4096, end: 5460 }],
  state: 'running',
  leaseUntilMs: NOW + 60_000,
};
const idOf = (key: string) => ready.observation.nodes[key]?.redis?.nodeId ?? '';
const opened = withViewEntry(
  ready,
  { holder: 'h1:6379', about: 'h1:6379' },
  { migrating: [{ slot: 4096, nodeId: idOf('h2:6380') }] },
);

describe('the health of a cluster', () => {
  /** One node has heard of a new owner, and nobody else yet. */
  const split = (input: PlanInput) => {
    const holder = { holder: 'h3:6380', about: 'h2:6380' };
    const slots = [{ start: 4095, end: 8191 }];
    return withViewEntry(input, holder, { slots });
  };
  const healthOf = ({ layout, observation }: PlanInput) =>
    summarizeCluster(layout, observation).health;

  it('is not impaired by nodes that hear of new owners one after another while slots move', () => {
    expect(healthOf(ready)).toBe('ok');
    expect(healthOf(split(ready))).toBe('degraded');
    expect(healthOf(withHost(split(ready), 'h1', { movers: [mover] }))).toBe('ok');
  });

  it('is, while slots move, by a node that takes another one for failed', () => {
    const doubt = withViewEntry(
      withHost(ready, 'h1', { movers: [mover] }),
      { holder: 'h3:6380', about: 'h2:6380' },
      { flags: ['master', 'fail?'] },
    );
    expect(healthOf(doubt)).toBe('degraded');
  });
});

describe('keys of a master beside its own slots', () => {
  const orphanKeys = { keys: 7, slotCount: 1, slots: [{ slot: 16_000, keys: 7 }] };
  const held = withRedis(ready, 'h1:6379', { orphanKeys });

  it('are a finding that names the slot and its owner, unless slots move there', () => {
    const { layout, former, observation } = held;
    const found = examineCluster({ layout, former, observation, hosts: [], now: NOW });
    expect(found.filter(({ rule }) => rule === 'orphan-keys')).toMatchObject([
      { subject: 'h1:6379', evidence: ['slot 16000: 7 keys; h3:6380 owns it'] },
    ]);
    expect(rulesOf(withHost(held, 'h1', { movers: [mover] })).join()).not.toContain('orphan-keys');
  });
});

describe('while slots are on their way', () => {
  it('nothing is wrong with a new shard that waits for its slots, as long as somebody works on it', () => {
    expect(rulesOf(ready, OURS)).toEqual([]);
    expect(rulesOf(withHost(opened, 'h1', { movers: [mover] }), OURS)).toEqual([]);
  });

  it('slots that are elsewhere are found once nobody works on them, with the way on', () => {
    expect(new Set(rulesOf(ready).map((line) => line.split(' ')[0]))).toEqual(
      new Set(['slots-not-as-layout']),
    );
    const { layout, observation } = ready;
    const [finding] = examineCluster({ layout, observation, hosts: [], now: NOW });
    expect(finding?.remedy).toContain('redrover cluster repair shop');
  });

  it('slots are not said to be where they shall be before they are, whether an operation goes on or rests', () => {
    const { layout, former, observation } = ready;
    const input = { layout, former, observation, hosts: [], now: NOW };
    const said = 'every slot has one owner, as in the layout';
    expect(checkCluster({ ...input, underWay: OURS })).toMatchObject({ findings: [] });
    expect(checkCluster({ ...input, underWay: OURS }).passed).not.toContain(said);
    const paused = checkCluster({ ...input, underWay: { id: 'op-1', state: 'paused' } });
    expect(paused.passed).not.toContain(said);
    expect(paused.findings.length).toBeGreaterThan(0);
    for (const { severity, rule, remedy } of paused.findings) {
      expect({ severity, rule }).toEqual({ severity: 'info', rule: 'slots-not-as-layout' });
      expect(remedy).toContain('redrover op resume op-1');
    }
    const whole = runningCluster(three).observation;
    const steady = { ...input, layout: three, former: [], observation: whole, underWay: OURS };
    expect(checkCluster(steady).passed).toContain(said);
  });

  it('a shard without slots has a master, votes for nobody, and is lost with nobody', () => {
    const { layout, observation } = ready;
    const { shards, health } = summarizeCluster(layout, observation);
    expect(health).toBe('ok');
    expect(shards.at(-1)).toMatchObject({ id: 's4', master: 'h4:6380', replicas: ['h1:6380'] });
    const [outcome] = whatIf({ layout, observation, hosts: [], now: NOW }, { host: 'h4' });
    expect(outcome).toMatchObject({ mastersNeeded: 2, mastersLeft: 3, lostShards: [] });
  });

  it('the target is told before the source: both say that they own the slot, for a moment', () => {
    const slots = [{ start: 0, end: 5461 }];
    const both = withViewEntry(ready, { holder: 'h1:6379', about: 'h1:6379' }, { slots });
    const told = withViewEntry(
      both,
      { holder: 'h2:6380', about: 'h2:6380' },
      { slots: [{ start: 5461, end: 5461 }], configEpoch: 99 },
    );
    expect(rulesOf(told, OURS)).toContain('slots-owned-twice h1:6379');
    const moving = { ...mover, slots: [{ start: 5461, end: 5461 }] };
    const quiet = rulesOf(withHost(told, 'h1', { movers: [moving] }), OURS);
    expect(quiet.filter((line) => line.startsWith('slots-owned-twice h1:6379'))).toEqual([]);
    expect(quiet).not.toContain('equal-config-epochs h1:6379');
  });
});

describe('what was left behind', () => {
  it('an open slot is found where no mover of ours works on it', () => {
    const left = withRedis(opened, 'h1:6379', { openSlotsQuietMs: 12_345 });
    const { layout, observation } = left;
    const found = examineCluster({ layout, observation, hosts: [], now: NOW });
    const open = found.filter(({ rule }) => rule === 'open-slots');
    expect(open).toMatchObject([{ subject: 'h1:6379', severity: 'warning' }]);
    expect(open[0]?.message).toContain('unchanged for 12 s');
    const elsewhere = { ...mover, source: 'h3:6380' };
    expect(rulesOf(withHost(opened, 'h1', { movers: [elsewhere] }))).toContain(
      'open-slots h1:6379',
    );
    const others = { ...mover, cluster: 'till' };
    expect(rulesOf(withHost(opened, 'h1', { movers: [others] }))).toContain('open-slots h1:6379');
  });

  it('keys on a master without slots are found, unless they are on their way', () => {
    const orphaned = withRedis(ready, 'h4:6380', { keys: 3 });
    expect(rulesOf(orphaned, OURS)).toEqual(['orphan-keys h4:6380']);
    const coming = { ...mover, target: 'h4:6380' };
    expect(rulesOf(withHost(orphaned, 'h1', { movers: [coming] }), OURS)).toEqual([]);
  });

  it('a mover that goes on after its lease is found', () => {
    const lapsed = { ...mover, leaseUntilMs: NOW - 5000 };
    expect(rulesOf(withHost(opened, 'h1', { movers: [lapsed] }), OURS)).toEqual([
      'mover-lease-lapsed h2:6380',
    ]);
  });
});
