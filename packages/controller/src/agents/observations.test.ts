import { absentNode, clusterViewOf, type ClusterView, type NodeObservation } from '@redrover/core';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { Observations, type NodeReport } from './observations.ts';

const A = 'a'.repeat(40);
const B = 'b'.repeat(40);

/** Views of different names differ, in an address. */
function viewOf(name: string, { connected = true } = {}): ClusterView {
  return clusterViewOf(
    [A, B].map((nodeId) => ({
      nodeId,
      address: name,
      port: 6379,
      busPort: 16379,
      flags: ['master'],
      masterId: '',
      configEpoch: 1,
      connected: nodeId === A || connected,
      slots: [],
      migrating: [],
      importing: [],
    })),
  );
}

const hashOf = (name: string): string => viewOf(name).hash;
const bare = (name: string): ClusterView => ({ hash: hashOf(name), nodes: [] });

function report(
  atMs: number,
  view: ClusterView | undefined,
  disconnectedIds: string[] = [],
): NodeReport {
  const absent = absentNode(
    { key: 'h1:6379', host: 'h1', port: 6379 } as Parameters<typeof absentNode>[0],
    atMs,
  );
  const observation = {
    ...absent,
    observedAtMs: atMs,
    process: { ...absent.process, state: 'running' },
    redis: view === undefined ? undefined : { nodeId: A, view },
  } as NodeObservation;
  return { observation, disconnectedIds };
}

let seen: Observations;
beforeEach(() => {
  seen = new Observations();
});

const viewNow = () => seen.find('h1:6379')?.redis?.view;

test('a report with an unknown view waits for it, and is merged when it comes', () => {
  expect(seen.mergeList('h1', [report(1, bare('v1'))], 1)).toEqual([hashOf('v1')]);
  expect(seen.find('h1:6379')).toBeUndefined();
  seen.mergeViews('h1', [viewOf('v1')]);
  expect(viewNow()?.nodes).toHaveLength(2);
  expect(seen.mergeList('h1', [report(2, bare('v1'))], 2)).toEqual([]);
  expect(seen.find('h1:6379')?.observedAtMs).toBe(2);
});

test('until a new view is here, the last observation stays whole', () => {
  seen.merge('h1', [report(1, viewOf('v1'))]);
  seen.mergeList('h1', [report(2, bare('v2'))], 2);
  expect(viewNow()?.hash).toBe(hashOf('v1'));
  expect(seen.find('h1:6379')?.observedAtMs).toBe(1);
});

test('a node that stops answering is seen at once, whatever view was waited for', () => {
  seen.mergeList('h1', [report(1, bare('v1'))], 1);
  seen.mergeList('h1', [report(2, undefined)], 2);
  seen.mergeViews('h1', [viewOf('v1')]);
  expect(seen.find('h1:6379')).toMatchObject({ observedAtMs: 2, redis: undefined });
});

test("links are each node's own, also with a view that others share", () => {
  seen.merge('h1', [report(1, viewOf('v1', { connected: false }))]);
  expect(viewNow()?.nodes.map((node) => node.connected)).toEqual([true, false]);
  seen.mergeList('h1', [report(2, bare('v1'))], 2);
  expect(viewNow()?.nodes.map((node) => node.connected)).toEqual([true, true]);
  seen.mergeList('h1', [report(3, bare('v1'), [B])], 3);
  expect(viewNow()?.nodes.map((node) => node.connected)).toEqual([true, false]);
});

test('an agent that names the wrong hash speaks for itself alone', () => {
  const lie = { ...viewOf('elsewhere'), hash: hashOf('v1') };
  seen.merge('h1', [report(1, lie)]);
  expect(viewNow()).toEqual(viewOf('elsewhere'));
  expect(seen.mergeList('h1', [report(2, bare('v1'))], 2)).toEqual([hashOf('v1')]);
  seen.mergeViews('h1', [lie]);
  expect(viewNow()).toEqual(viewOf('elsewhere'));
  seen.mergeViews('h1', [viewOf('v1')]);
  expect(viewNow()).toEqual(viewOf('v1'));
});

test('an older report does not undo a newer one, unless the clock was set back', () => {
  seen.merge('h1', [report(10_000, viewOf('new'))]);
  seen.merge('h1', [report(9_000, viewOf('old'))]);
  expect(viewNow()?.hash).toBe(hashOf('new'));
  seen.merge('h1', [report(1_000, viewOf('after the clock was set'))]);
  expect(viewNow()?.hash).toBe(hashOf('after the clock was set'));
});

test('a node that its host no longer lists is absent; one that was never listed is not touched', () => {
  seen.merge('h1', [report(1, viewOf('v1'))]);
  seen.mergeList('h1', [], 2);
  expect(seen.find('h1:6379')?.process.state).toBe('running');
  seen.mergeList('h1', [report(3, bare('v1'))], 3);
  seen.mergeList('h1', [], 4);
  expect(seen.find('h1:6379')).toMatchObject({ observedAtMs: 4, process: { state: 'absent' } });
  expect(seen.listOfHost('h1')).toEqual([]);
});

test('a list that was taken before a step does not undo what the step showed', () => {
  seen.mergeList('h1', [report(1, viewOf('v1'))], 1);
  seen.merge('h1', [report(5, viewOf('v1'))]);
  seen.mergeList('h1', [], 4);
  expect(seen.find('h1:6379')?.process.state).toBe('running');
});

test('views that no node holds any more are dropped', () => {
  for (let at = 1; at <= 500; at += 1) seen.merge('h1', [report(at, viewOf(`v${at}`))]);
  expect(seen.viewCount).toBeLessThan(100);
  expect(viewNow()?.hash).toBe(hashOf('v500'));
});

describe('what is fresh', () => {
  let tick = 1_000;
  const passMs = (ms: number) => (tick += ms);
  const isFresh = () => seen.findFresh('h1:6379') !== undefined;
  beforeEach(() => void vi.spyOn(performance, 'now').mockImplementation(() => tick));
  afterEach(() => vi.restoreAllMocks());

  test('is what was said of late, whatever time the agent puts on it', () => {
    seen.merge('h1', [report(1, viewOf('v1'))]);
    passMs(5_000);
    expect(isFresh()).toBe(true);
    passMs(1_500);
    expect(isFresh()).toBe(false);
    expect(seen.find('h1:6379')).toBeDefined();
    seen.mergeList('h1', [report(2, bare('v1'))], 2);
    expect(isFresh()).toBe(true);
  });

  test('is not a node whose view nobody sends, though its host is heard each second', () => {
    seen.merge('h1', [report(1, viewOf('v1'))]);
    for (let at = 2; at < 10; at += 1) {
      seen.mergeList('h1', [report(at, bare('v2'))], at);
      passMs(1_000);
    }
    expect(isFresh()).toBe(false);
    seen.mergeViews('h1', [viewOf('v2')]);
    expect(isFresh()).toBe(true);
  });

  test('is that a host has no such node, as long as its lists come', () => {
    seen.mergeList('h1', [report(1, viewOf('v1'))], 1);
    for (let at = 2; at < 10; at += 1) {
      seen.mergeList('h1', [], at);
      passMs(1_000);
    }
    expect(seen.findFresh('h1:6379')?.process.state).toBe('absent');
    passMs(6_000);
    expect(isFresh()).toBe(false);
  });
});
