import { absentNode, type LayoutNode } from '@redrover/core';
import { expect, test, vi } from 'vitest';

import type { BuildExchange } from './build-exchange.ts';
import { Hosts } from './hosts.ts';
import { Observations } from './observations.ts';
import { takeSnapshot } from './snapshot.ts';

const exchange = { listShared: () => [] } as unknown as BuildExchange;
const BEAT = {
  builds: [],
  diskFreeBytes: 1,
  loadAverage: 0,
  agentRssBytes: 0,
  usedPorts: [],
  movers: [],
};
const nodeOn = (host: string) => ({ key: `${host}:6379`, host }) as LayoutNode;

test('a host may be called like something that every object has', () => {
  const hosts = new Hosts();
  const seen = { hosts, observations: new Observations(), exchange };
  const unheard = takeSnapshot(seen, [nodeOn('constructor')]);
  expect(unheard.hosts['constructor']).toBeUndefined();
  const identity = { address: '127.0.0.1', labels: {}, facts: undefined, builds: [] };
  hosts.noteHello({ name: 'constructor', ...identity });
  const heard = takeSnapshot(seen, [nodeOn('constructor'), nodeOn('h2')]);
  expect(heard.hosts['constructor']).toMatchObject({ name: 'constructor', status: 'online' });
  expect(Object.keys(heard.hosts)).toEqual(['constructor']);
  expect(heard.nodes).toEqual({});
});

test('what was seen before its host was away is not taken for what is there when it is back', () => {
  let tick = 1_000;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => tick);
  try {
    const hosts = new Hosts();
    const observations = new Observations();
    const seen = { hosts, observations, exchange };
    const identity = { address: '127.0.0.1', labels: {}, facts: undefined, builds: [] };
    const node = { ...nodeOn('h1'), port: 6379 };
    const isKnown = () => 'h1:6379' in takeSnapshot(seen, [node]).nodes;
    hosts.noteHello({ name: 'h1', ...identity });
    const observation = { ...absentNode(node, 1), redis: undefined };
    observations.mergeList('h1', [{ observation, disconnectedIds: [] }], 1);
    // Nobody has said yet who is at work on it.
    expect(isKnown()).toBe(false);
    hosts.noteBeat('h1', BEAT);
    expect(isKnown()).toBe(true);
    tick += 60_000;
    expect(hosts.find('h1')?.status).toBe('lost');
    expect(isKnown()).toBe(true);
    hosts.noteHello({ name: 'h1', ...identity });
    expect(hosts.find('h1')?.status).toBe('online');
    expect(isKnown()).toBe(false);
    observations.mergeList('h1', [{ observation, disconnectedIds: [] }], 2);
    expect(isKnown()).toBe(true);
  } finally {
    clock.mockRestore();
  }
});
