/** Moves beside everything else: movers at work, failures, promotions, slots that are half way. */
import { describe, expect, it } from 'vitest';
import type { MoverObservation, MoveEngine, MoveReport } from '../../model/migration.ts';
import type { Attempt } from '../../model/operation.ts';
import { formatRanges } from '../../model/slots.ts';
import type { MoveSlotsStep, Step } from '../../model/step.ts';
import { forecastSteps } from '../forecast.ts';
import { planCancel, planSteps } from '../plan-steps.ts';
import { settle } from '../settle.ts';
import { applyRound } from '../simulate.ts';
import type { PlanInput } from '../situation.ts';
import { strike, visiblePart } from '../testing/drift.ts';
import {
  attemptOf,
  layoutOf,
  NOW,
  runningCluster,
  withHost,
  withNode,
  withRedis,
  withViewEntry,
} from '../testing/examples.ts';
import { beginChange, nextLayout, withKeys } from '../testing/next-layout.ts';

/** s4 is new: on h4:6380 and h1:6380. Slots go h1:6379 > h2:6380 > h3:6380 > h4:6380. */
const three = layoutOf({ hosts: 4, shards: 3, replicas: 1 });
const four = nextLayout(three, { hosts: 4, shards: 4, replicas: 1 });
const begun = beginChange(settle(withKeys(runningCluster(three).observation)), three, four);
/** All nodes are there and in sync, and the first slots are about to move. */
const ready = playTo(begun, (step) => step.kind === 'moveSlots');

function playTo(input: PlanInput, until: (step: Step) => boolean): PlanInput {
  let { observation } = input;
  for (const steps of forecastSteps(input).rounds) {
    if (steps.some(until)) break;
    observation = settle(applyRound(observation, steps, input.layout));
  }
  return { ...input, observation };
}

/** Goes on until nothing is left that can be done. */
function playOut(input: PlanInput): PlanInput {
  let current = input;
  for (let turn = 0; turn < 20; turn += 1) {
    const { steps } = planSteps(current);
    const observation = visiblePart(settle(applyRound(current.observation, steps, current.layout)));
    const made = steps.map((step) => attemptOf(step, { endedAtMs: current.now }));
    const history = [...current.history, ...made];
    current = { ...current, observation, history, now: current.now + 9000 };
  }
  return current;
}

function movesOf(input: PlanInput): MoveSlotsStep[] {
  return planSteps(input).steps.filter((step) => step.kind === 'moveSlots');
}

function pairsOf(input: PlanInput): string[] {
  return movesOf(input).map(({ source, target }) => `${source.node}>${target.node}`);
}

function stepsOf(input: PlanInput): string[] {
  return planSteps(input).steps.map(
    (step) => `${step.kind} ${'node' in step ? step.node : 'plan' in step ? '' : step.host}`,
  );
}

function waitsOf(input: PlanInput): string[] {
  return planSteps(input).waits.map(({ subject, reason }) => `${subject}: ${reason}`);
}

/** Of everything that is left when all else is done. */
function blockersOf(input: PlanInput): string[] {
  return forecastSteps(input).blockers.map(({ rule, subject }) => `${rule} ${subject}`);
}

function moverFrom(source: string, target: string, change: Partial<MoverObservation> = {}) {
  const mover: MoverObservation = {
    id: `${source} ${target}`,
    cluster: 'shop',
    engine: 'migrate',
    source,
    target,
    slots: [{ start: 4096, end: 5461 }],
    state: 'running',
    leaseUntilMs: NOW + 600_000,
    ...change,
  };
  return mover;
}

function withMover(input: PlanInput, mover: MoverObservation, host?: string): PlanInput {
  return withHost(input, host ?? mover.source.split(':')[0] ?? '', { movers: [mover] });
}

const idOf = (input: PlanInput, key: string) => input.observation.nodes[key]?.redis?.nodeId ?? '';

/** The slot is MIGRATING on one and IMPORTING on the other, for so long. */
function withOpen(
  input: PlanInput,
  slot: number,
  {
    from,
    to,
    quietMs = 0,
  }: { readonly from: string; readonly to: string; readonly quietMs?: number },
): PlanInput {
  const migrating = [{ slot, nodeId: idOf(input, to) }];
  const importing = [{ slot, nodeId: idOf(input, from) }];
  const left = withViewEntry(input, { holder: from, about: from }, { migrating });
  const both = withViewEntry(left, { holder: to, about: to }, { importing });
  const quiet = { openSlotsQuietMs: quietMs };
  return withRedis(withRedis(both, from, quiet), to, quiet);
}

const REPORT: MoveReport = {
  engine: 'migrate',
  slotsMoved: 0,
  keysMoved: 0,
  bytesMoved: 0,
  blockedMs: 0,
  quarantined: [],
  notes: [],
};

function failed(step: Step, change: Partial<Attempt> = {}): Attempt {
  return attemptOf(step, {
    outcome: 'failed',
    errorCode: 'unavailable',
    message: 'lost',
    endedAtMs: NOW - 60_000,
    ...change,
  });
}

describe('a move', () => {
  it('names everybody whom the mover has to speak to', () => {
    const [first] = movesOf(ready);
    expect(first).toMatchObject({
      host: 'h1',
      node: 'h1:6379',
      engine: 'migrate',
      source: { node: 'h1:6379', nodeId: idOf(ready, 'h1:6379'), address: '10.0.0.1', port: 6379 },
      target: { node: 'h2:6380' },
      sourceReplicas: [{ node: 'h2:6379' }],
      targetReplicas: [{ node: 'h3:6379' }],
      nodeTimeoutMs: 5000,
      options: ready.move,
    });
    expect(formatRanges(first?.slots ?? [])).toBe('4096-5460');
    expect(first?.otherMasters.map(({ node }) => node)).toEqual(['h3:6380', 'h4:6380']);
  });

  it('does not begin before a replica of the target has all that its master has', () => {
    const syncing = withRedis(ready, 'h1:6380', { masterLinkUp: false, syncInProgress: true });
    expect(pairsOf(syncing)).toEqual([]);
    expect(waitsOf(syncing)).toContain('h1:6380: replica syncing');
  });

  it('is refused where a replica is laid out on a host that is away, and others go on', () => {
    const h1Away = withHost({ ...ready, kind: 'repair' }, 'h1', {
      status: 'lost',
      lastSeenMs: NOW - 90_000,
    });
    const input = { ...h1Away, observation: settle(h1Away.observation) };
    expect(pairsOf(input)).not.toContain('h3:6380>h4:6380');
    const all = forecastSteps(input);
    const moves = all.rounds.flat().filter((step) => step.kind === 'moveSlots');
    expect(moves.map(({ target }) => target.node).toSorted()).toEqual(['h2:6380', 'h3:6380']);
    expect(blockersOf(input)).toContain('target-without-replica h4:6380');
  });

  it('does not begin while a slot has no single owner, or a master is out of sight', () => {
    const slots = [{ start: 0, end: 5400 }];
    const disputed = withViewEntry(ready, { holder: 'h4:6380', about: 'h1:6379' }, { slots });
    expect(pairsOf(disputed)).toEqual([]);
    expect(waitsOf(disputed).join()).toContain('some views only');
    const failing = { flags: ['master', 'fail?'] };
    const suspected = withViewEntry(ready, { holder: 'h4:6380', about: 'h2:6380' }, failing);
    expect(pairsOf(suspected)).toEqual([]);
  });

  it.each<[MoveEngine, string, string]>([
    ['valkey-atomic', 'h1:6379', 'h1'],
    ['redis-atomic', 'h2:6380', 'h2'],
  ])('is done by %s where all nodes of it have that, at %s', (engine, node, host) => {
    const able = Object.keys(ready.observation.nodes).reduce(
      (input, key) => withRedis(input, key, { moveEngines: ['migrate', engine] }),
      ready,
    );
    expect(movesOf(able)[0]).toMatchObject({ engine, node, host });
    // A replica that lacks it might be promoted meanwhile.
    const without = withRedis(able, 'h2:6379', { moveEngines: ['migrate'] });
    expect(movesOf(without)[0]).toMatchObject({ engine: 'migrate' });
    const [first] = movesOf(able);
    if (first === undefined) throw new Error('no move');
    expect(movesOf({ ...able, history: [failed(first), failed(first)] })[0]).toMatchObject({
      engine: 'migrate',
    });
  });

  it('is refused where the engine that was asked for is not there', () => {
    const forced = { ...ready, move: { ...ready.move, engine: 'valkey-atomic' as const } };
    expect(blockersOf(forced)[0]).toContain('engine-not-supported');
  });
});

describe('a move that fails', () => {
  const [first] = movesOf(ready);
  if (first === undefined) throw new Error('no move');
  const times = (count: number, change: Partial<Attempt> = {}) =>
    Array.from({ length: count }, () => failed(first, change));
  const goesOn = (history: readonly Attempt[]) =>
    pairsOf({ ...ready, history }).includes('h1:6379>h2:6380');

  it('is tried again, not for ever, and holds up nobody else', () => {
    const twice = times(2, { errorCode: 'failed-precondition' });
    expect(goesOn(twice.slice(1))).toBe(true);
    expect(goesOn(twice)).toBe(false);
    expect(pairsOf({ ...ready, history: twice })).toContain('h3:6380>h4:6380');
    expect(goesOn(times(1, { errorCode: 'data-loss' }))).toBe(false);
  });

  it('is tried for half an hour while somebody is away', () => {
    expect(goesOn(times(50))).toBe(true);
    const long = times(50, { startedAtMs: NOW - 31 * 60_000 });
    expect(goesOn(long)).toBe(false);
    const progress = failed(first, { move: { ...REPORT, slotsMoved: 7 } });
    expect(goesOn([...long, progress])).toBe(true);
  });

  it('begins to count anew when it got somewhere, and does not count what was called off', () => {
    const other = { errorCode: 'failed-precondition' } as const;
    const progress = failed(first, { ...other, move: { ...REPORT, slotsMoved: 7 } });
    expect(goesOn([...times(1, other), progress])).toBe(true);
    expect(goesOn([...times(1, other), progress, ...times(1, other)])).toBe(false);
    expect(goesOn(times(20, { errorCode: 'cancelled' }))).toBe(true);
  });

  it('leaves out slots that were quarantined, and ends with a decision', () => {
    const slot = {
      slot: 5000,
      rule: 'key-too-large',
      message: 'big',
      evidence: ['e'],
      remedy: 'r',
    };
    const report = failed(first, { move: { ...REPORT, slotsMoved: 1, quarantined: [slot] } });
    const input = { ...ready, history: [report] };
    const [again] = movesOf(input).filter(({ source }) => source.node === 'h1:6379');
    expect(formatRanges(again?.slots ?? [])).toBe('4096-4999 5001-5460');
    const { done, decisions } = planSteps(playOut(input));
    expect(done).toBe(true);
    expect(decisions).toMatchObject([{ rule: 'key-too-large', subject: 'slot 5000' }]);
  });

  it('goes on under the name of whoever was promoted', () => {
    const source = settle(strike(ready.observation, 'h1:6379', 'fail-over'));
    expect(pairsOf({ ...ready, observation: source, history: times(6) })).toContain(
      'h2:6379>h2:6380',
    );
    const target = settle(strike(ready.observation, 'h2:6380', 'fail-over'));
    expect(pairsOf({ ...ready, observation: target })).toContain('h1:6379>h3:6379');
  });
});

describe('a mover at work', () => {
  const atWork = withMover(ready, moverFrom('h2:6380', 'h3:6380'));

  it('is attached to, and its ends get no other role', () => {
    expect(pairsOf(atWork)).toEqual(['h2:6380>h3:6380']);
    const other = withMover(ready, moverFrom('h1:6379', 'h2:6380', { engine: 'valkey-atomic' }));
    expect(movesOf(other).map(({ engine, source }) => [source.node, engine])).toEqual([
      ['h1:6379', 'valkey-atomic'],
      ['h3:6380', 'migrate'],
    ]);
  });

  it('counts also while its agent is away, until its lease is over', () => {
    const away = (leaseUntilMs: number) => {
      const mover = moverFrom('h2:6380', 'h3:6380', { leaseUntilMs });
      return withHost({ ...ready, kind: 'repair' }, 'h9', {}, mover);
    };
    function withHost(input: PlanInput, name: string, _: object, mover: MoverObservation) {
      const h2 = input.observation.hosts['h2'];
      if (h2 === undefined) throw new Error('no host');
      const lost = { ...h2, name, status: 'lost' as const, movers: [mover] };
      const hosts = { ...input.observation.hosts, [name]: lost };
      return { ...input, observation: { ...input.observation, hosts } };
    }
    expect(pairsOf(away(NOW + 1000))).toEqual(['h2:6380>h3:6380']);
    expect(pairsOf(away(NOW - 61_000))).toEqual(['h1:6379>h2:6380', 'h3:6380>h4:6380']);
  });

  it('counts from the moment that it was sent, reported or not', () => {
    const second: MoveSlotsStep | undefined = movesOf(atWork)[0];
    if (second === undefined) throw new Error('no move');
    const sent = attemptOf(second, { outcome: 'running', endedAtMs: undefined });
    expect(pairsOf({ ...ready, history: [sent] })).toEqual(['h2:6380>h3:6380']);
    const later = { ...ready, history: [sent], now: NOW + 31_000 };
    expect(pairsOf(later)).toEqual(['h1:6379>h2:6380', 'h3:6380>h4:6380']);
  });

  it('is stopped where nobody wants what it does', () => {
    const unwanted = withMover(
      ready,
      moverFrom('h3:6380', 'h1:6379', { slots: [{ start: 16_000, end: 16_001 }] }),
    );
    expect(stepsOf(unwanted)).toContain('stopMoves h3');
    const others = withMover(ready, moverFrom('h3:6380', 'h1:6379', { cluster: 'till' }));
    expect(stepsOf(others)).not.toContain('stopMoves h3');
  });

  it('is stopped before a replica is attached to one of its ends', () => {
    const lost = settle(strike(ready.observation, 'h2:6379', 'vanish'));
    const started = playTo(
      { ...ready, observation: visiblePart(lost) },
      (step) => step.kind === 'attachReplica',
    );
    const busy = withMover(started, moverFrom('h1:6379', 'h2:6380'));
    expect(stepsOf(started)).toContain('attachReplica h2:6379');
    expect(stepsOf(busy)).toContain('stopMoves h1');
    expect(stepsOf(busy).join()).not.toContain('attachReplica');
  });

  it('is stopped before a master leaves its host, and nothing is handed over meanwhile', () => {
    const drained = { ...ready, layout: { ...ready.layout, drainedHosts: ['h1'] } };
    expect(stepsOf(drained)).toEqual(['handoffMaster h2:6379']);
    const busy = withMover(drained, moverFrom('h1:6379', 'h2:6380'));
    expect(stepsOf(busy)).toEqual(['stopMoves h1']);
    const stopping = { ...busy, history: [attemptOf({ kind: 'stopMoves', host: 'h1' })] };
    expect(stepsOf(stopping)).toEqual([]);
    const elsewhere = withMover(drained, moverFrom('h3:6380', 'h4:6380'));
    expect(stepsOf(elsewhere)).toEqual(['handoffMaster h2:6379']);
  });

  it('is stopped by a cancellation, which is over once no agent reports one', () => {
    const { steps, waits, done } = planCancel(atWork);
    expect(steps).toEqual([{ kind: 'stopMoves', host: 'h2' }]);
    expect(waits.length).toBe(1);
    expect(done).toBe(false);
    expect(planCancel(ready)).toMatchObject({ steps: [], done: true });
    const others = withMover(ready, moverFrom('h2:6380', 'h3:6380', { cluster: 'till' }));
    expect(planCancel(others)).toMatchObject({ steps: [], done: true });
  });
});

describe('a target that hangs', () => {
  const hung = { ...ready, observation: settle(strike(ready.observation, 'h4:6380', 'hang')) };
  const stepsBeside = (state: MoverObservation['state']) => {
    const mover = moverFrom('h3:6380', 'h4:6380', { engine: 'redis-atomic', state });
    return stepsOf(withMover(hung, mover, 'h4'));
  };

  it('is restarted beside a mover that waits for it to say that all has stopped', () => {
    expect(stepsBeside('running')).toContain('stopMoves h4');
    expect(stepsBeside('running')).not.toContain('stopNode h4:6380');
    expect(stepsBeside('stopping')).toContain('stopNode h4:6380');
  });
});

describe('a slot that is half way', () => {
  const ends = { from: 'h1:6379', to: 'h2:6380' };
  const slotsOf = (input: PlanInput, source: string) =>
    formatRanges(movesOf(input).find((step) => step.source.node === source)?.slots ?? []);

  it('is left alone for a minute where somebody else opened it, and so are its ends', () => {
    const foreign = withOpen(ready, 16_383, { from: 'h3:6380', to: 'h1:6379', quietMs: 59_000 });
    expect(pairsOf(foreign)).toEqual([]);
    expect(waitsOf(foreign).join()).toContain("slot 16383 is open from h3:6380 by somebody else's");
    const quiet = withOpen(ready, 16_383, { from: 'h3:6380', to: 'h1:6379', quietMs: 60_000 });
    expect(pairsOf(quiet)).toEqual(['h3:6380>h1:6379']);
    expect(slotsOf(quiet, 'h3:6380')).toBe('16383');
  });

  it('is gone on with at once where this operation opened it', () => {
    const [first] = movesOf(ready);
    if (first === undefined) throw new Error('no move');
    const ours = { ...withOpen(ready, 4096, ends), history: [failed(first)] };
    expect(slotsOf(ours, 'h1:6379')).toBe('4096-5460');
  });

  it('is ours as well where replicas have it open beside their masters, as those of Valkey do', () => {
    const [first] = movesOf(ready);
    if (first === undefined) throw new Error('no move');
    const migrating = [{ slot: 4096, nodeId: idOf(ready, ends.to) }];
    const importing = [{ slot: 4096, nodeId: idOf(ready, ends.from) }];
    const masters = withOpen(ready, 4096, ends);
    const one = withViewEntry(masters, { holder: 'h2:6379', about: 'h2:6379' }, { migrating });
    const both = withViewEntry(one, { holder: 'h3:6379', about: 'h3:6379' }, { importing });
    expect(slotsOf({ ...both, history: [failed(first)] }, 'h1:6379')).toBe('4096-5460');
  });

  it('is finished key by key before an atomic engine takes the rest', () => {
    const able = Object.keys(ready.observation.nodes).reduce(
      (input, key) => withRedis(input, key, { moveEngines: ['migrate', 'valkey-atomic'] }),
      ready,
    );
    const half = withOpen(able, 4096, { ...ends, quietMs: 60_000 });
    const step = movesOf(half).find(({ source }) => source.node === 'h1:6379');
    expect(step).toMatchObject({ engine: 'migrate', slots: [{ start: 4096, end: 4096 }] });
  });

  it('goes from whoever has it now, whatever its flags say of a former master', () => {
    const half = withOpen(ready, 4096, { ...ends, quietMs: 60_000 });
    const promoted = settle(strike(half.observation, 'h1:6379', 'fail-over'));
    const quiet = withRedis({ ...half, observation: promoted }, 'h2:6380', {
      openSlotsQuietMs: 60_000,
    });
    expect(pairsOf(quiet)).toContain('h2:6379>h2:6380');
    expect(slotsOf(quiet, 'h2:6379')).toContain('4096');
  });

  it('is a person’s to decide where nobody knows its other end', () => {
    const migrating = [{ slot: 9, nodeId: 'f'.repeat(40) }];
    const odd = withViewEntry(ready, { holder: 'h1:6379', about: 'h1:6379' }, { migrating });
    const quiet = withRedis(odd, 'h1:6379', { openSlotsQuietMs: 60_000 });
    expect(planSteps(quiet).decisions).toMatchObject([
      { rule: 'open-slot-unsettled', subject: 'slot 9' },
    ]);
    expect(forecastSteps(quiet).complete).toBe(true);
  });
});

describe('slots that are half way through the same master', () => {
  const quietMs = 60_000;
  const open = (input: PlanInput, slot: number, from: string, to: string) =>
    withOpen(input, slot, { from, to, quietMs });

  it('are finished in order: first what goes to it, however much leaves it', () => {
    const first = open(ready, 4096, 'h1:6379', 'h2:6380');
    const chain = open(open(first, 8000, 'h2:6380', 'h3:6380'), 8001, 'h2:6380', 'h3:6380');
    expect(pairsOf(chain)).toEqual(['h1:6379>h2:6380']);
    expect(forecastSteps(chain)).toMatchObject({ complete: true, decisions: [] });
  });

  it('are a person’s to decide in a circle, and all else goes on', () => {
    const there = open(ready, 4096, 'h1:6379', 'h2:6380');
    const circle = open(there, 8000, 'h2:6380', 'h1:6379');
    expect(pairsOf(circle)).toContain('h3:6380>h4:6380');
    const { done, decisions } = planSteps(playOut(circle));
    expect(done).toBe(true);
    expect(decisions.map(({ rule, subject }) => `${rule} ${subject}`)).toEqual([
      'open-slots-in-a-circle slot 4096',
      'open-slots-in-a-circle slot 8000',
    ]);
  });
});

describe('keys of slots that others own', () => {
  const orphans = (slot: number) => ({
    orphanKeys: { keys: 3, slotCount: 1, slots: [{ slot, keys: 3 }] },
  });
  const [first] = movesOf(ready);
  if (first === undefined) throw new Error('no move');
  const decided = (input: PlanInput) =>
    planSteps(playOut(input)).decisions.map(({ rule, subject }) => `${rule} ${subject}`);

  it('keep their slot from being moved to them, and the others go', () => {
    const input = withRedis(ready, 'h2:6380', orphans(5000));
    const [step] = movesOf(input).filter(({ source }) => source.node === 'h1:6379');
    expect(formatRanges(step?.slots ?? [])).toBe('4096-4999 5001-5460');
    const { complete, decisions, rounds } = forecastSteps(input);
    expect(complete).toBe(true);
    const moved = rounds.flat().filter(({ kind }) => kind === 'moveSlots');
    expect(
      moved.filter((each) => each.kind === 'moveSlots' && each.source.node === 'h1:6379'),
    ).toHaveLength(1);
    expect(decisions).toMatchObject([
      { rule: 'orphan-keys-at-target', subject: 'slot 5000' },
      { rule: 'orphan-keys', subject: 'h2:6380' },
    ]);
  });

  it('keep it there also once others have gone, and while slots go on that are open still', () => {
    const tried = { ...ready, history: [failed(first)] };
    const input = withRedis(tried, 'h2:6380', orphans(5000));
    const [step] = movesOf(input).filter(({ source }) => source.node === 'h1:6379');
    expect(formatRanges(step?.slots ?? [])).toBe('4096-4999 5001-5460');
    const migrating = [{ slot: 5000, nodeId: idOf(ready, 'h2:6380') }];
    const open = withViewEntry(input, { holder: 'h1:6379', about: 'h1:6379' }, { migrating });
    const [again] = movesOf(open).filter(({ source }) => source.node === 'h1:6379');
    expect(formatRanges(again?.slots ?? [])).toContain('4096-5460');
  });

  it('are counted before anything is begun there', () => {
    const unknown = withRedis(ready, 'h2:6380', { orphanKeys: undefined });
    expect(pairsOf(unknown)).not.toContain('h1:6379>h2:6380');
    expect(waitsOf(unknown)).toContain('h2:6380: keys in slots of others not counted yet');
  });

  it('leave the end of an operation that moved slots to a person, and of no other', () => {
    const moved = withRedis(playOut(ready), 'h1:6379', orphans(16_000));
    expect(decided(moved)).toEqual(['orphan-keys h1:6379']);
    expect(decided({ ...moved, history: [] })).toEqual([]);
  });

  it('are waited for while they are not counted', () => {
    const moved = withRedis(playOut(ready), 'h1:6379', { orphanKeys: undefined });
    const { done, waits } = planSteps(moved);
    expect(done).toBe(false);
    expect(waits).toMatchObject([{ subject: 'h1:6379' }]);
  });
});

describe('the target of the first slots of a new shard', () => {
  // Keys are there, and no slot yet: nobody would be elected in its place.
  const filling = withRedis(
    withOpen(ready, 16_383, { from: 'h3:6380', to: 'h4:6380', quietMs: 60_000 }),
    'h4:6380',
    { keys: 4 },
  );

  it('is never made anew, and a person is told', () => {
    const crashed = settle(strike(filling.observation, 'h4:6380', 'crash'));
    const start = { kind: 'startNode', host: 'h4', node: 'h4:6380' } as const;
    const error = { outcome: 'failed', errorCode: 'failed-precondition' } as const;
    const history = [attemptOf(start, error), attemptOf(start, error)];
    const input = { ...filling, history, observation: visiblePart(crashed) };
    expect(stepsOf(input).filter((name) => name.includes('h4:6380'))).toEqual([]);
    const { blockers, decisions } = planSteps(playOut(input));
    expect(blockers.map(({ rule }) => rule)).toContain('keys-on-their-way');
    expect(decisions).toEqual([]);
  });

  it('is made anew while nothing was sent to it', () => {
    const crashed = settle(strike(ready.observation, 'h4:6380', 'lose-identity'));
    const input = { ...ready, observation: visiblePart(crashed) };
    expect(stepsOf(input)).toContain('removeNode h4:6380');
    expect(forecastSteps(input).complete).toBe(true);
  });
});

describe('a shard that goes', () => {
  const wide = settle(
    withKeys(runningCluster(layoutOf({ hosts: 4, shards: 4, replicas: 1 })).observation),
  );
  const fewer = nextLayout(four, { hosts: 4, shards: 3, replicas: 1 });
  const shrinking = beginChange(wide, four, fewer);
  const drained = playTo(shrinking, (step) => step.kind === 'stopNode');

  it('keeps its nodes until it has neither slots nor keys', () => {
    expect(stepsOf(shrinking).filter((name) => name.startsWith('stopNode'))).toEqual([]);
    expect(stepsOf(drained)).toEqual(['stopNode h4:6380', 'stopNode h1:6380']);
    const orphaned = withRedis(drained, 'h4:6380', { keys: 2 });
    expect(stepsOf(orphaned)).not.toContain('stopNode h4:6380');
    expect(planSteps(orphaned).decisions).toMatchObject([
      { rule: 'orphan-keys', subject: 'h4:6380' },
    ]);
    const { rounds } = forecastSteps(orphaned);
    const gone = rounds.flat().filter((step) => 'node' in step && step.node === 'h4:6380');
    expect(gone.map(({ kind }) => kind).filter((kind) => kind !== 'forgetNodes')).toEqual([]);
  });

  it('keeps them while any view gives them a slot', () => {
    const slots = [{ start: 16_383, end: 16_383 }];
    const late = withViewEntry(drained, { holder: 'h2:6379', about: 'h4:6380' }, { slots });
    expect(stepsOf(late).filter((name) => name.startsWith('stopNode'))).toEqual([]);
  });

  it('is moved from whoever was elected, when its master is gone', () => {
    const gone = settle(strike(shrinking.observation, 'h4:6380', 'crash'));
    const input = { ...shrinking, observation: visiblePart(gone) };
    expect(pairsOf(input)).toContain('h1:6380>h3:6380');
    expect(forecastSteps(input).complete).toBe(true);
  });

  it('has its last node started again, and never made anew, while slots are there', () => {
    const alone = settle(strike(shrinking.observation, 'h1:6380', 'lose-identity'));
    const both = settle(strike(alone, 'h4:6380', 'stop'));
    const input = { ...shrinking, observation: visiblePart(both) };
    expect(stepsOf(input)).toEqual(['startNode h4:6380']);
  });

  it('lets go of a master that became a replica of another shard when it was drained', () => {
    const other = idOf(drained, 'h3:6380');
    const turned = settle(
      withNode(
        withRedis(drained, 'h4:6380', { role: 'replica', masterLinkUp: true }),
        'h4:6380',
        (node) => node,
      ).observation,
    );
    const follows = withViewEntry(
      { ...drained, observation: turned },
      { holder: 'h4:6380', about: 'h4:6380' },
      { flags: ['slave'], masterId: other },
    );
    const input = {
      ...follows,
      observation: settle(withRedis(follows, 'h4:6380', { role: 'replica' }).observation),
    };
    expect(stepsOf(input)).toContain('stopNode h4:6380');
    expect(forecastSteps(input).complete).toBe(true);
  });

  it('has its former nodes back as an empty shard’s master where the layout wants one', () => {
    // s4 shall stay without slots, and its master follows s3's: Redis did that before 6.2.2.
    const idle = nextLayout(four, { hosts: 4, shards: 4, replicas: 1 }, [
      ...fewer.shards.map(({ slots }) => slots),
      [],
    ]);
    const emptied = playTo(beginChange(wide, four, idle), (step) => step.kind === 'verifyWrite');
    const other = idOf(emptied, 'h3:6380');
    const turned = withViewEntry(
      withRedis(emptied, 'h4:6380', { role: 'replica', masterLinkUp: true }),
      { holder: 'h4:6380', about: 'h4:6380' },
      { flags: ['slave'], masterId: other },
    );
    const input = { ...emptied, observation: settle(turned.observation) };
    expect(stepsOf(input)).toEqual([
      'stopNode h4:6380',
      'removeNode h4:6380',
      'prepareNode ',
      'startNode h4:6380',
    ]);
    expect(forecastSteps(input).complete).toBe(true);
  });
});
