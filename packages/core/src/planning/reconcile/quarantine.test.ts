/** Slots that were left to a person while they were open, and whose ends are replaced afterwards. */
import { describe, expect, it } from 'vitest';
import type { QuarantinedSlot } from '../../model/migration.ts';
import { formatRanges } from '../../model/slots.ts';
import { stepKey } from '../../model/step.ts';
import { planSteps } from '../plan-steps.ts';
import { settle } from '../settle.ts';
import { subtractSlots } from '../shards.ts';
import type { PlanInput } from '../situation.ts';
import { strike } from '../testing/drift.ts';
import { attemptOf, NOW, withRedis, withViewEntry } from '../testing/examples.ts';
import { idOf, movesOf, playOut, ready, REPORT, withOpen } from '../testing/move-scenes.ts';

const SLOT = 4096;
const ENDS = { from: 'h1:6379', to: 'h2:6380' };

function word(rule: string): QuarantinedSlot {
  return { slot: SLOT, rule, message: '', evidence: [], remedy: '' };
}

/** Everything else is where it shall be; the slot is open, and left to a person. */
function left(rule = 'key-differs'): PlanInput {
  const [first] = movesOf(ready);
  if (first === undefined) throw new Error('no move');
  const move = { ...REPORT, slotsMoved: 1, quarantined: [word(rule)] };
  const given = playOut({ ...ready, history: [attemptOf(first, { endedAtMs: NOW, move })] });
  return withOpen(given, SLOT, ENDS);
}

function failOver(input: PlanInput, key: string): PlanInput {
  return { ...input, observation: settle(strike(input.observation, key, 'fail-over')) };
}

function movedNow(input: PlanInput): string[] {
  return movesOf(input).map(
    ({ source, target, slots }) => `${source.node}>${target.node} ${formatRanges(slots)}`,
  );
}

function decisionsOf(input: PlanInput): string[] {
  const { done, decisions } = planSteps(input);
  return [`done ${done}`, ...decisions.map(({ rule, subject }) => `${rule} ${subject}`)];
}

const UNDECIDED = ['done true', `key-differs slot ${SLOT}`];

describe('a slot that was left to a person while it was open', () => {
  it('is left alone as long as its ends are the same', () => {
    expect(movedNow(left())).toEqual([]);
    expect(decisionsOf(left())).toEqual(UNDECIDED);
  });

  it('is opened anew towards whoever took the place of its target', () => {
    expect(movedNow(failOver(left(), 'h2:6380'))).toEqual([`h1:6379>h3:6379 ${SLOT}`]);
  });

  it('is opened anew from whoever took the place of its source', () => {
    expect(movedNow(failOver(left(), 'h1:6379'))).toEqual([`h2:6379>h2:6380 ${SLOT}`]);
  });

  it('is opened anew where its target is master again and has forgotten that it imports it', () => {
    const back = failOver(failOver(left(), 'h2:6380'), 'h3:6379');
    expect(idOf(back, 'h2:6380')).toBe(idOf(left(), 'h2:6380'));
    expect(movedNow(back)).toEqual([`h1:6379>h2:6380 ${SLOT}`]);
  });

  it('is opened anew also where its target has forgotten who owns it, and serves nobody for that', () => {
    const input = failOver(left(), 'h1:6379');
    const target = input.observation.nodes['h2:6380']?.redis;
    const owner = target?.view.nodes.find(({ nodeId }) => nodeId === idOf(input, 'h2:6379'));
    const one = [{ start: SLOT, end: SLOT }];
    const slots = subtractSlots(owner?.slots ?? [], one);
    const forgotten = withViewEntry(input, { holder: 'h2:6380', about: 'h2:6379' }, { slots });
    const down = withRedis(forgotten, 'h2:6380', { clusterState: 'fail' });
    expect(movedNow(down)).toEqual([`h2:6379>h2:6380 ${SLOT}`]);
    const two = subtractSlots(slots, [{ start: 0, end: 0 }]);
    const worse = withViewEntry(down, { holder: 'h2:6380', about: 'h2:6379' }, { slots: two });
    expect(movedNow(worse)).toEqual([]);
  });

  it('is left to the person again then', () => {
    const input = failOver(left(), 'h2:6380');
    const [step] = movesOf(input);
    if (step === undefined) throw new Error('no move');
    const move = { ...REPORT, quarantined: [word('key-differs')] };
    const history = [...input.history, attemptOf(step, { endedAtMs: input.now, move })];
    const later = { ...input, history, now: input.now + 60_000 };
    const opened = withOpen(later, SLOT, { from: 'h1:6379', to: 'h3:6379' });
    expect(movedNow(opened)).toEqual([]);
    expect(decisionsOf(playOut(opened))).toEqual(UNDECIDED);
  });

  it('is not asked about again and again where opening it does not help', () => {
    const disputed = failOver(left('slot-owner-disputed'), 'h2:6380');
    const [step] = movesOf(disputed);
    if (step === undefined) throw new Error('no move');
    expect(step.target.node).toBe('h3:6379');
    const move = { ...REPORT, quarantined: [word('slot-owner-disputed')] };
    const history = [...disputed.history, attemptOf(step, { endedAtMs: disputed.now, move })];
    expect(movedNow({ ...disputed, history, now: disputed.now + 60_000 })).toEqual([]);
  });

  it('fails nothing where it cannot be opened', () => {
    const input = failOver(left(), 'h2:6380');
    const [step] = movesOf(input);
    if (step === undefined) throw new Error('no move');
    const refused = { outcome: 'failed', errorCode: 'failed-precondition' } as const;
    const tries = Array.from({ length: 3 }, () =>
      attemptOf(step, { ...refused, endedAtMs: input.now }),
    );
    const given = { ...input, history: [...input.history, ...tries], now: input.now + 60_000 };
    expect(stepKey(step)).toBe(tries[0]?.stepKey);
    expect(movedNow(given)).toEqual([]);
    const { blockers, decisions } = planSteps(given);
    expect(blockers).toEqual([]);
    expect(decisions).toMatchObject([{ rule: 'key-differs' }]);
  });
});

describe('by a repair that knows nothing of the operation', () => {
  const repair = (input: PlanInput): PlanInput => ({ ...input, kind: 'repair', history: [] });

  it.each([
    ['target', 'h2:6380', 'h1:6379', 'h1:6379>h3:6379'],
    ['source', 'h1:6379', 'h2:6380', 'h2:6379>h2:6380'],
  ])(
    'the slot is opened anew where its %s was replaced, once it is quiet',
    (_end, struck, open, pair) => {
      const input = repair(failOver(left(), struck));
      expect(movedNow(withRedis(input, open, { openSlotsQuietMs: 59_000 }))).toEqual([]);
      const quiet = withRedis(input, open, { openSlotsQuietMs: 60_000 });
      expect(movedNow(quiet)).toEqual([`${pair} ${SLOT}`]);
    },
  );
});

describe('a node that imports a slot which waits for a person', () => {
  const [first] = movesOf(ready);
  if (first === undefined) throw new Error('no move');
  const report = { ...REPORT, slotsMoved: 1, quarantined: [word('key-differs')] };
  const history = [attemptOf(first, { endedAtMs: NOW, move: report })];
  const input = withOpen({ ...ready, history }, SLOT, ENDS);

  it('gives nothing away meanwhile, which is said, and all else is moved', () => {
    const end = playOut(input);
    const moved = end.history.map((attempt) => attempt.stepKey);
    expect(moved).toContain('moveSlots h3:6380 > h4:6380 migrate');
    expect(moved).not.toContain('moveSlots h2:6380 > h3:6380 migrate');
    expect(decisionsOf(end)).toEqual([...UNDECIDED, 'moves-behind-a-decision h2:6380']);
  });

  it('gives it away once the slot is closed', () => {
    const closed = { ...playOut(input), history: [] };
    const decided = withViewEntry(
      withViewEntry(closed, { holder: ENDS.from, about: ENDS.from }, { migrating: [] }),
      { holder: ENDS.to, about: ENDS.to },
      { importing: [] },
    );
    expect(movedNow(decided).join()).toContain('h2:6380>h3:6380');
  });
});

describe('a master that is to leave its host', () => {
  const drained = (input: PlanInput): PlanInput => ({
    ...input,
    layout: { ...input.layout, drainedHosts: ['h1'] },
  });

  it('stays where slots of it wait for a person, and that person is told', () => {
    const input = playOut(drained(left()));
    const { blockers } = planSteps(input);
    expect(blockers).toEqual([]);
    expect(decisionsOf(input)).toEqual([...UNDECIDED, 'open-slots-in-the-way h1:6379']);
  });
});
