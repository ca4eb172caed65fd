/**
 * Plans that were shown with something critical in the way: they are not carried out, though what
 * was found is not looked for again when they are applied. A new plan may find it gone.
 */
import { RedroverError, type Finding } from '@redrover/core';

import type { ClusterPlan } from './cluster-plan.ts';

/** More than people look at before they apply one of them. */
const MAX_REMEMBERED = 1_000;

export class RefusedPlans {
  /** By fingerprint, the oldest first. */
  readonly #reasons = new Map<string, readonly Finding[]>();

  /** What was found of a plan last is what counts. */
  note({ fingerprint, findings }: ClusterPlan): void {
    this.#reasons.delete(fingerprint);
    const critical = findings.filter(({ severity }) => severity === 'critical');
    if (critical.length === 0) return;
    this.#reasons.set(fingerprint, critical);
    const [oldest] = this.#reasons.keys();
    if (this.#reasons.size > MAX_REMEMBERED && oldest !== undefined) this.#reasons.delete(oldest);
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
