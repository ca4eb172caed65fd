/** What the planner says of a scene, as short lines that tests compare. */
import { planSteps } from '../plan-steps.ts';
import type { PlanInput } from '../situation.ts';
import { forecastSteps } from './forecast-steps.ts';

/** Rounds of the forecast, each as its kinds of steps and their nodes; proof is left out. */
export function roundsOf(input: PlanInput): string[] {
  const { rounds } = forecastSteps(input);
  const lines = rounds.map((steps) => {
    const byKind = Map.groupBy(steps, (step) => step.kind);
    return [...byKind].map(([kind, own]) => {
      const nodes = own.map((step) =>
        'node' in step ? step.node : 'plan' in step ? step.plan.node.key : step.host,
      );
      const isAll = nodes.length === input.layout.nodes.length;
      return `${kind} ${isAll ? 'all' : nodes.toSorted().join(' ')}`;
    });
  });
  return lines.map((kinds) => kinds.join(', ')).filter((line) => !line.startsWith('verifyWrite'));
}

export function completes(input: PlanInput): boolean {
  return forecastSteps(input).complete;
}

export function stepsOf(input: PlanInput): string[] {
  return planSteps(input).steps.map((step) => `${step.kind} ${'node' in step ? step.node : ''}`);
}

export function waitsOf(input: PlanInput): string[] {
  return planSteps(input).waits.map((wait) => `${wait.subject}: ${wait.reason}`);
}

/** Rules and subjects of the blockers that are left when all else is done. */
export function blockersOf(input: PlanInput): string[] {
  return forecastSteps(input).blockers.map(({ rule, subject }) => `${rule} ${subject}`);
}
