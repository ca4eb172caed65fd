import type { LayoutNode } from '@redrover/core';
import { expect, test } from 'vitest';

import type { BuildExchange } from './build-exchange.ts';
import { Hosts } from './hosts.ts';
import { Observations } from './observations.ts';
import { takeSnapshot } from './snapshot.ts';

const exchange = { listShared: () => [] } as unknown as BuildExchange;
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
