/** Handing a shard from one master to another: when, and how often it is tried. */
import { describe, expect, it } from 'vitest';
import { planSteps } from '../plan-steps.ts';
import { strike } from '../testing/drift.ts';
import { attemptOf, NOW, withRedis, withViewEntry } from '../testing/examples.ts';
import { stepsOf, waitsOf } from '../testing/plan-lines.ts';
import { running, seeing, struck } from '../testing/repair-scenes.ts';

describe('a handoff', () => {
  const drifted = struck('h1:6379', 'fail-over');

  it('waits until the replica is in sync, and near its master', () => {
    const syncing = withRedis(drifted, 'h1:6379', { masterLinkUp: false, syncInProgress: true });
    expect(stepsOf(syncing)).toEqual([]);
    expect(waitsOf(syncing)).toEqual(['h1:6379: replica syncing']);
    const behind = withRedis(drifted, 'h2:6379', { replicationOffset: 1e9 });
    expect(stepsOf(behind)).toEqual([]);
  });

  it.each([
    ['a node says cluster_state fail', withRedis(drifted, 'h4:6379', { clusterState: 'fail' })],
    [
      'somebody sees its master failing',
      withViewEntry(
        drifted,
        { holder: 'h4:6379', about: 'h2:6379' },
        { flags: ['master', 'fail?'] },
      ),
    ],
    [
      'a slot is open',
      withViewEntry(
        drifted,
        { holder: 'h3:6380', about: 'h3:6380' },
        {
          migrating: [{ slot: 16_000, nodeId: 'a' }],
        },
      ),
    ],
    [
      'a view does not know who follows whom',
      withViewEntry(drifted, { holder: 'h3:6380', about: 'h1:6379' }, { masterId: 'b' }),
    ],
  ])('waits while %s', (_name, input) => {
    expect(stepsOf(input)).toEqual([]);
    expect(waitsOf(input).length).toBeGreaterThan(0);
  });

  it('waits for another one that a dead controller may have begun', () => {
    const other = struck('h3:6380', 'fail-over');
    const [step] = planSteps(other).steps;
    if (step?.kind !== 'handoffMaster') throw new Error('no handoff');
    const begun = attemptOf(step, { outcome: 'running', endedAtMs: undefined });
    const both = strike(
      strike(running.observation, 'h3:6380', 'fail-over'),
      'h1:6379',
      'fail-over',
    );
    expect(stepsOf({ ...seeing(both), history: [begun] })).toEqual(['handoffMaster h3:6380']);
    expect(stepsOf({ ...drifted, history: [begun] })).toEqual([]);
    expect(stepsOf({ ...drifted, history: [begun], now: NOW + 40_000 })).toEqual([
      'handoffMaster h1:6379',
    ]);
  });

  it('is given up after three tries, and the others are done', () => {
    const [step] = planSteps(drifted).steps;
    if (step === undefined) throw new Error('no handoff');
    const failed = attemptOf(step, { outcome: 'failed', errorCode: 'deadline-exceeded' });
    const given = { ...drifted, history: [failed, failed, failed] };
    expect(stepsOf(given).every((name) => name.startsWith('verifyWrite'))).toBe(true);
    const proved = planSteps(given).steps.map((proof) => attemptOf(proof));
    const { blockers } = planSteps({ ...given, history: [...given.history, ...proved] });
    expect(blockers).toMatchObject([{ rule: 'step-failed', subject: 'h1:6379' }]);
  });
});
