/** Ids of nodes that are gone for good. */
import { describe, expect, it } from 'vitest';
import { planSteps } from '../plan-steps.ts';
import { attemptOf, withAllViews } from '../testing/examples.ts';
import { stepsOf } from '../testing/plan-lines.ts';
import { lastOf, struck } from '../testing/repair-scenes.ts';

describe('what is forgotten', () => {
  const anew = lastOf(struck('h1:6379', 'vanish'), 'forgetNodes');

  it('is sent to every living node in one turn', () => {
    const steps = planSteps(anew).steps;
    expect(steps.map((step) => step.kind)).toEqual(Array(6).fill('forgetNodes'));
  });

  it('is no id that owns a slot, or that somebody follows', () => {
    const [step] = planSteps(anew).steps;
    const id = step?.kind === 'forgetNodes' ? (step.nodeIds[0] ?? '') : '';
    const following = withAllViews(anew, 'h4:6379', { masterId: id });
    expect(stepsOf(following).filter((name) => name.startsWith('forgetNodes'))).toEqual([]);
  });

  it('is forgotten again when gossip brings it back', () => {
    const first = planSteps(anew).steps.map((step) => attemptOf(step, { endedAtMs: anew.now }));
    const again = { ...anew, history: [...anew.history, ...first], now: anew.now + 5000 };
    expect(planSteps(again).steps.map((step) => step.kind)).toEqual(Array(6).fill('forgetNodes'));
  });
});
