/**
 * Plans that were shown to people. One that is approved while nothing has moved is carried out as it
 * was shown, and not foreseen again; one with something critical in the way is not carried out,
 * though what was found is not looked for again either. A new plan may find it gone.
 */
import { RedroverError, type Finding } from '@redrover/core';

import type { ClusterPlan } from './cluster-plan.ts';

/** Those of a thousand nodes are some megabytes each; a person approves the last that they saw. */
const MAX_KEPT = 8;

/** More than people look at before they apply one of them. */
const MAX_REFUSED = 1_000;

export class ShownPlans {
  /** By fingerprint, the oldest first. */
  readonly #plans = new Map<string, ClusterPlan>();
  readonly #reasons = new Map<string, readonly Finding[]>();

  /** What was found of a plan last is what counts. */
  note(plan: ClusterPlan): void {
    const { fingerprint, findings } = plan;
    putLast(this.#plans, { key: fingerprint, value: plan, most: MAX_KEPT });
    this.#reasons.delete(fingerprint);
    const critical = findings.filter(({ severity }) => severity === 'critical');
    if (critical.length === 0) return;
    putLast(this.#reasons, { key: fingerprint, value: critical, most: MAX_REFUSED });
  }

  /** Undefined where it was shown too long ago, or by a controller before this one. */
  find(fingerprint: string): ClusterPlan | undefined {
    return this.#plans.get(fingerprint);
  }

  /** @throws RedroverError `failed-precondition` with what was found. */
  check({ fingerprint, layout }: ClusterPlan): void {
    const reasons = this.#reasons.get(fingerprint) ?? [];
    if (reasons.length === 0) return;
    const said = reasons.map(({ message, remedy }) => [message, remedy].filter(Boolean).join('; '));
    throw new RedroverError(
      'failed-precondition',
      `the plan for ${layout.cluster} cannot be carried out:\n${said.join('\n')}`,
    );
  }
}

function putLast<Value>(
  map: Map<string, Value>,
  { key, value, most }: { readonly key: string; readonly value: Value; readonly most: number },
): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > most && oldest !== undefined) map.delete(oldest);
}
