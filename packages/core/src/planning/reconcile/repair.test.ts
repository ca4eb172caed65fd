/** What a repair does about each misfortune, and in which order. */
import { describe, expect, it } from 'vitest';
import { absentNode } from '../fresh-node.ts';
import { planSteps } from '../plan-steps.ts';
import { settle } from '../settle.ts';
import { strike, visiblePart } from '../testing/drift.ts';
import { attemptOf, factsOf, NOW, withHost, withNode } from '../testing/examples.ts';
import { forecastSteps } from '../testing/forecast-steps.ts';
import { blockersOf, completes, roundsOf, stepsOf, waitsOf } from '../testing/plan-lines.ts';
import { lost, running, seeing, struck } from '../testing/repair-scenes.ts';
import { findLeftForLater } from './left-for-later.ts';

describe('a repair', () => {
  it('does nothing but prove a cluster that is in order', () => {
    expect(new Set(planSteps(running).steps.map((step) => step.kind))).toEqual(
      new Set(['verifyWrite']),
    );
    expect(roundsOf(running)).toEqual([]);
  });

  it('brings a master home after a failover', () => {
    const input = struck('h1:6379', 'fail-over');
    expect(roundsOf(input)).toEqual(['handoffMaster h1:6379']);
    expect(completes(input)).toBe(true);
  });

  it('brings masters home one by one, from the host with most of them first', () => {
    const twice = strike(
      strike(running.observation, 'h3:6380', 'fail-over'),
      'h1:6379',
      'fail-over',
    );
    // h2 has two masters now, h4 one.
    expect(roundsOf(seeing(twice))).toEqual(['handoffMaster h1:6379', 'handoffMaster h3:6380']);
  });

  it('starts what is stopped', () => {
    expect(roundsOf(struck('h2:6379', 'stop'))).toEqual(['startNode h2:6379']);
    expect(roundsOf(struck('h1:6379', 'stop'))).toEqual([
      'startNode h1:6379',
      'handoffMaster h1:6379',
    ]);
  });

  it('stops and starts a process that hangs, once the others do without it', () => {
    expect(roundsOf(struck('h1:6379', 'hang'))[0]).toBe('stopNode h1:6379, startNode h1:6379');
    const hung = visiblePart(strike(running.observation, 'h1:6379', 'hang'));
    expect(stepsOf({ ...running, observation: hung })).toEqual([]);
  });

  it('makes a node anew that lost its directory', () => {
    expect(roundsOf(struck('h1:6379', 'vanish'))).toEqual([
      'prepareNode h1:6379',
      'startNode h1:6379',
      'probeMesh h1 h2 h3 h4',
      'meetNodes h1:6379 h2:6380 h3:6380',
      'attachReplica h1:6379',
      'handoffMaster h1:6379',
      'forgetNodes all',
    ]);
  });

  it('makes a node anew that lost its nodes.conf, and keeps what is left of it in the trash', () => {
    expect(roundsOf(struck('h1:6379', 'lose-identity'))[0]).toBe(
      'stopNode h1:6379, removeNode h1:6379, prepareNode h1:6379, startNode h1:6379',
    );
  });

  it('starts what crashes twice before it makes it anew', () => {
    const crashed = struck('h1:6379', 'crash');
    expect(stepsOf(crashed)).toEqual(['startNode h1:6379']);
    const [start] = planSteps(crashed).steps;
    if (start === undefined) throw new Error('no step');
    const failure = attemptOf(start, { outcome: 'failed', errorCode: 'failed-precondition' });
    expect(stepsOf({ ...crashed, history: [failure] })).toEqual(['startNode h1:6379']);
    const given = { ...crashed, history: [failure, failure] };
    expect(stepsOf(given)).toEqual([
      'stopNode h1:6379',
      'removeNode h1:6379',
      'prepareNode ',
      'startNode h1:6379',
    ]);
  });

  it('makes nothing anew on a full disk', () => {
    const facts = { ...factsOf(2), diskFreeBytes: 1000 };
    const full = withHost(struck('h2:6379', 'lose-identity'), 'h2', { facts });
    expect(blockersOf(full)).toEqual(['disk-full h2:6379']);
  });

  it.each(['vanish', 'wipe', 'lose-identity', 'hang'] as const)(
    'never touches the last copy of a shard (%s)',
    (misfortune) => {
      const alone = strike(running.observation, 'h2:6379', 'lose-identity');
      const both = seeing(strike(settle(alone), 'h1:6379', misfortune));
      expect(stepsOf(both)).toEqual([]);
      expect(blockersOf(both)).toContain('slots-lost s1');
    },
  );

  it('says where the last copies of lost slots are', () => {
    const alone = strike(running.observation, 'h2:6379', 'vanish');
    const input = lost('h1', seeing(alone));
    const blocker = forecastSteps(input).blockers.find(({ rule }) => rule === 'slots-lost');
    expect(blocker?.evidence).toEqual([
      'h1:6379: on host h1, which is lost',
      'h2:6379: absent, no data in its directory',
    ]);
  });

  it('never discards the directory of a stopped node whose shard has no other owner', () => {
    const other = strike(
      settle(strike(running.observation, 'h2:6379', 'vanish')),
      'h1:6379',
      'stop',
    );
    expect(stepsOf(seeing(other))).toEqual(['startNode h1:6379']);
  });

  it('leaves nodes of a lost host out, says so, and does the rest', () => {
    const input = lost('h4', seeing(strike(running.observation, 'h1:6379', 'fail-over')));
    expect(roundsOf(input)).toEqual(['handoffMaster h1:6379']);
    expect(completes(input)).toBe(true);
    expect(findLeftForLater(input)).toMatchObject([{ rule: 'host-left-out', subject: 'h4' }]);
    expect(findLeftForLater(input)[0]?.remedy).toContain('redrover host replace h4 --with NEW');
    expect(findLeftForLater(running)).toEqual([]);
  });

  it('goes on without a master whose agent alone is away', () => {
    const away = withHost(running, 'h1', { status: 'lost', lastSeenMs: NOW - 90_000 });
    expect(planSteps(away).blockers).toEqual([]);
    expect(stepsOf(away)).toEqual(['verifyWrite h2:6380', 'verifyWrite h3:6380']);
    const { observation } = withNode(away, 'h2:6379', (node) => ({
      ...absentNode(
        { ...node, address: '', busPort: 0, shard: 's1', preferredRole: 'replica', configEpoch: 0 },
        NOW,
      ),
    }));
    const history = planSteps(away).steps.map((step) => attemptOf(step));
    const [blocker] = planSteps({ ...away, observation, history }).blockers;
    expect(blocker).toMatchObject({ rule: 'master-out-of-reach', subject: 's1' });
  });

  it('is blocked without a majority of masters', () => {
    const input = lost('h3', lost('h4', lost('h2')));
    expect(blockersOf(input)).toContain('no-majority shop');
    expect(stepsOf(input)).toEqual([]);
  });

  it('waits while a host is suspect, for it is soon back or lost', () => {
    const { observation } = withHost(running, 'h4', { status: 'suspect' });
    const input = {
      ...running,
      observation,
      history: planSteps(running).steps.map((step) => attemptOf(step)),
    };
    expect(waitsOf(input)).toEqual(['h4: host suspect: soon back, or lost']);
  });

  it('takes a replica back from another shard, unless it is the only copy there', () => {
    const stray = seeing(strike(running.observation, 'h2:6379', 'stray'));
    expect(stepsOf(stray)).toEqual(['attachReplica h2:6379']);
    const master = stray.observation.nodes['h2:6379']?.redis?.view.nodes.find(
      ({ nodeId }) => nodeId === stray.observation.nodes['h2:6379']?.redis?.nodeId,
    )?.masterId;
    const owner = Object.values(stray.observation.nodes).find(
      ({ redis }) => redis?.nodeId === master,
    );
    const replica = owner?.key === 'h2:6380' ? 'h3:6379' : 'h4:6379';
    const kept = lost(replica.slice(0, 2), stray);
    expect(stepsOf(kept).filter((step) => step.startsWith('attachReplica'))).toEqual([]);
  });
});
