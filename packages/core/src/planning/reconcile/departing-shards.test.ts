/** Nodes that are kept because slots or keys are, or were, on their way. */
import { describe, expect, it } from 'vitest';
import { forecastSteps } from '../testing/forecast-steps.ts';
import { planSteps } from '../plan-steps.ts';
import { settle } from '../settle.ts';
import { strike, visiblePart } from '../testing/drift.ts';
import {
  attemptOf,
  layoutOf,
  runningCluster,
  withNode,
  withRedis,
  withViewEntry,
} from '../testing/examples.ts';
import { beginChange, nextLayout, withKeys } from '../testing/next-layout.ts';
import {
  four,
  ready,
  playTo,
  playOut,
  pairsOf,
  stepsOf,
  idOf,
  REPORT,
  withOpen,
} from '../testing/move-scenes.ts';

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
    // Its replica is the only copy of them.
    expect(stepsOf(orphaned).filter((name) => name.startsWith('stopNode'))).toEqual([]);
    expect(planSteps(orphaned).decisions).toMatchObject([
      { rule: 'orphan-keys', subject: 'h4:6380' },
    ]);
    const { rounds } = forecastSteps(orphaned);
    const gone = rounds.flat().filter((step) => 'node' in step && step.node === 'h4:6380');
    expect(gone.map(({ kind }) => kind).filter((kind) => kind !== 'forgetNodes')).toEqual([]);
  });

  it('keeps the copy of what a person has to decide about', () => {
    const [step] = forecastSteps(shrinking)
      .rounds.flat()
      .filter(({ kind }) => kind === 'moveSlots');
    if (step === undefined) throw new Error('no move');
    const slot = { slot: 0, rule: 'key-differs', message: '', evidence: [], remedy: '' };
    const move = { ...REPORT, slotsMoved: 1, quarantined: [slot] };
    const undecided = {
      ...withRedis(withOpen(drained, 0, { from: 'h1:6379', to: 'h4:6380' }), 'h4:6380', {
        keys: 2,
      }),
      history: [attemptOf(step, { move })],
    };
    const end = playOut(undecided);
    const stateOf = (key: string) => end.observation.nodes[key]?.process.state;
    expect(['h4:6380', 'h1:6380'].map(stateOf)).toEqual(['running', 'running']);
    const { done, decisions } = planSteps(end);
    expect([done, ...decisions.map(({ subject }) => subject)]).toEqual([true, 'slot 0']);
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
