import { expect, it } from 'vitest';
import { settle } from '../settle.ts';
import { planSteps } from '../plan-steps.ts';
import { forecastSteps } from '../forecast.ts';
import { strike, visiblePart } from '../testing/drift.ts';
import { layoutOf, NOW, runningCluster, withHost, playUntil } from '../testing/examples.ts';
import type { PlanInput } from '../situation.ts';
import { absentNode } from '../fresh-node.ts';

const show = (input: PlanInput) => {
  const f = forecastSteps(input);
  return JSON.stringify({ rounds: f.rounds.map((r) => r.map((s) => `${s.kind} ${'node' in s ? s.node : s.host}${s.kind==='forgetNodes'?s.nodeIds.map(i=>i.slice(0,4)):''}`)), waits: f.waits, blockers: f.blockers.map((b) => `${b.rule} ${b.subject}`), complete: f.complete }, null, 1);
};
function lost(input: PlanInput, name: string): PlanInput {
  const { observation } = withHost(input, name, { status: 'lost', lastSeenMs: NOW - 90_000 });
  return { ...input, observation: settle(observation) };
}

it('probe: slots lost + wiped elsewhere', () => {
  const layout = layoutOf({ hosts: 6, shards: 5, replicas: 1 });
  let input: PlanInput = { ...runningCluster(layout), kind: 'repair' };
  console.log(layout.nodes.map((n) => `${n.key} ${n.shard} ${n.preferredRole}`));
  input = lost(lost(input, 'h1'), 'h2');
  console.log(show(input));
  const key = layout.nodes.find((n) => n.shard === 's4' && n.preferredRole === 'replica')!.key;
  const seen = { ...input, observation: visiblePart(settle(strike(input.observation, key, 'vanish'))) };
  console.log(show(seen));
  const hung = { ...input, observation: visiblePart(settle(strike(input.observation, key, 'hang'))) };
  console.log(show(hung));
});

it('probe: drained replica follows the lost master', () => {
  const layout = layoutOf({ hosts: 6, shards: 3, replicas: 2 });
  const base: PlanInput = { ...runningCluster(layout), kind: 'change' };
  // h3 drained: its node of s1 stopped
  const drained = { ...layout, drainedHosts: ['h3'], number: 2 };
  let input = playUntil({ ...base, layout: drained });
  input = lost({ ...input, history: [] }, 'h1');
  const nodes = layout.nodes.map((n) => n.host === 'h1' ? { ...n, key: `h6:${n.port}`, host: 'h6', address: '10.0.0.6' } : n);
  const next = { ...drained, nodes, number: 3 };
  const former = layout.nodes.filter((n) => n.host === 'h1');
  let ob = input.observation;
  ob = { ...ob, hosts: { ...ob.hosts, h6: { ...ob.hosts['h2']!, name: 'h6' } }, nodes: { ...ob.nodes, 'h6:6379': absentNode(nodes.find((n) => n.host === 'h6')!, NOW) } };
  input = { ...input, layout: next, former, observation: visiblePart(ob) };
  console.log(show(input));
  const v = input.observation.nodes['h2:6379']!.redis!.view.nodes;
  console.log(v.map((n) => `${n.nodeId.slice(0,4)} ${n.address}:${n.port} ${n.flags} ${n.masterId.slice(0,4)} ${n.slots.length}`).join('\n'));
});
