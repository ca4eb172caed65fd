/** Moves that are due, fail, or are at work. */
import { describe, expect, it } from 'vitest';
import type { MoverObservation, MoveEngine } from '../../model/migration.ts';
import type { Attempt } from '../../model/operation.ts';
import { formatRanges } from '../../model/slots.ts';
import type { MoveSlotsStep } from '../../model/step.ts';
import { forecastSteps } from '../testing/forecast-steps.ts';
import { planCancel, planSteps } from '../plan-steps.ts';
import { settle } from '../settle.ts';
import type { PlanInput } from '../situation.ts';
import { strike, visiblePart } from '../testing/drift.ts';
import { attemptOf, NOW, withHost, withRedis, withViewEntry } from '../testing/examples.ts';
import {
  ready,
  playTo,
  playOut,
  movesOf,
  pairsOf,
  stepsOf,
  waitsOf,
  blockersOf,
  moverFrom,
  withMover,
  idOf,
  REPORT,
  failed,
} from '../testing/move-scenes.ts';

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
