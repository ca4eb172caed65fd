/** What is left to a person, and what is only not known yet. */
import { expect, it } from 'vitest';
import type { OrphanKeys } from '../../model/observation.ts';
import type { Step } from '../../model/step.ts';
import { forecastSteps } from '../testing/forecast-steps.ts';
import { planSteps } from '../plan-steps.ts';
import { settle } from '../settle.ts';
import { applyRound } from '../simulate.ts';
import type { PlanInput } from '../situation.ts';
import { attemptOf, layoutOf, NOW, runningCluster, withRedis } from '../testing/examples.ts';
import { beginChange, nextLayout, withKeys } from '../testing/next-layout.ts';

const four = layoutOf({ hosts: 4, shards: 4, replicas: 1 });
const three = nextLayout(four, { hosts: 4, shards: 3, replicas: 1 });
const [gone] = four.nodes.filter(
  ({ shard, configEpoch }) => configEpoch > 0 && !three.shards.some(({ id }) => id === shard),
);

/** All slots have just been moved away from the shard that goes. */
function drained(): PlanInput {
  const input = beginChange(settle(withKeys(runningCluster(four).observation)), four, three);
  let { observation } = input;
  const moved: Step[] = [];
  for (const steps of forecastSteps(input).rounds) {
    if (steps.some(({ kind }) => kind === 'stopNode')) break;
    observation = settle(applyRound(observation, steps, input.layout));
    moved.push(...steps.filter(({ kind }) => kind === 'moveSlots'));
  }
  const history = moved.map((step) => attemptOf(step, { endedAtMs: NOW }));
  return { ...input, observation, history };
}

function planWith(orphanKeys: OrphanKeys | undefined) {
  return planSteps(withRedis(drained(), gone?.key ?? '', { keys: 5, orphanKeys }));
}

it('waits for a server that may still be deleting what it gave away', () => {
  const { steps, done, decisions } = planWith(undefined);
  expect(decisions ?? []).toEqual([]);
  expect(done).toBe(false);
  expect(steps.filter((step) => 'node' in step && step.node === gone?.key)).toEqual([]);
});

it('leaves keys to a person that stay on a node without slots', () => {
  const slots = [{ slot: 1, keys: 5 }];
  const { decisions } = planWith({ keys: 5, slotCount: 1, slots });
  expect(decisions?.map(({ rule, subject }) => [rule, subject])).toEqual([
    ['orphan-keys', gone?.key],
  ]);
});
