import { expect, test } from 'vitest';

import { nodeView, view, viewOf } from '../testing/examples.ts';
import type { NodeView } from './cluster-view.ts';
import { renderClusters, renderNodes, renderTopology } from './topology.ts';

function node(change: Partial<NodeView>): NodeView {
  return nodeView({ address: '10.0.0.1', ...change });
}

const replica = node({
  key: 'h2:6380',
  host: 'h2',
  address: '10.0.0.2',
  port: 6380,
  role: 'replica',
  lagBytes: 2048,
});

test('the picture hangs replicas from their master', () => {
  expect(renderTopology([node({}), replica], view)).toBe(
    [
      'SHARD  ROLE       HOST  NODE           ID        SLOTS / LINK  DATA',
      's1     ┬ master   h1    10.0.0.1:6379  a1b2c3d4  0-5460        1 key, 2.5 MiB',
      '       └ replica  h2    10.0.0.2:6380  a1b2c3d4  2 KiB behind  1 key, 2.5 MiB',
    ].join('\n'),
  );
});

test('a node that does not run shows its state, a changed role a star', () => {
  const picture = renderTopology(
    [node({ state: 'crash-loop' }), { ...replica, wantedRole: 'master' as const }],
    view,
  );
  expect(picture).toMatch(/master .* crash-loop$/m);
  expect(picture).toMatch(/replica\*/);
});

test('a node whose view differs is named, with the difference', () => {
  const odd = node({ disagreements: ['does not know 10.0.0.9:1'] });
  const text = renderNodes([odd, replica], view);
  expect(text).toMatch(/^h1:6379 .*differs$/m);
  expect(text).toContain('  h1:6379 does not know 10.0.0.9:1');
});

test('no clusters is a sentence that says what to do', () => {
  expect(renderClusters([], view)).toContain('redrover cluster plan');
});

test('slots that are on their way are told at both ends, and a master without slots is no mistake', () => {
  const open = { slots: ['5440-5455'], count: 16 };
  const source = node({ openSlots: [{ ...open, direction: 'migrating', peer: 'h4:6379' }] });
  const target = node({
    key: 'h4:6379',
    host: 'h4',
    shard: 's12',
    slots: [],
    slotCount: 0,
    openSlots: [{ ...open, direction: 'importing', peer: 'h1:6379' }],
  });
  const spare = node({ key: 'h5:6379', host: 'h5', shard: 's3', slots: [], slotCount: 0 });
  const dead = node({ key: 'h6:6379', host: 'h6', shard: 's4', slots: [], state: 'crash-loop' });
  const lines = renderTopology([source, spare, dead, target], viewOf(140)).split('\n');
  expect(lines[1]).toMatch(/^s1 .* 0-5460, 16 leaving for h4:6379 +1 key/);
  expect(lines[2]).toMatch(/^s3 .* no slots  +1 key/);
  expect(lines[3]).toMatch(/^s4 .* a1b2c3d4  +crash-loop$/);
  expect(lines[4]).toMatch(/^s12 .* no slots, 16 coming from h1:6379  1 key/);
});

test('of a shard that was rebalanced often the first ranges are told', () => {
  const slots = Array.from({ length: 30 }, (_, index) => `${index * 10}-${index * 10 + 4}`);
  const text = renderTopology([node({ slots })], viewOf(200));
  expect(text).toContain('0-4 10-14 20-24 30-34 40-44 50-54 and 24 more ranges');
});
