import { expect, test } from 'vitest';

import { nodeView, view } from '../testing/examples.ts';
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
