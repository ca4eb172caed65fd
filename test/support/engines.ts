/** The releases that slots are moved between, one for each engine, for tests that run on all of them. */
import type { MoveEngine } from '@redrover/core';
import { inject } from 'vitest';

import type { BuiltRelease } from './built-release.ts';

export interface EngineCase {
  readonly engine: MoveEngine;
  /** Of a `describe`: the release, or why there is none. */
  readonly title: string;
  /** Whether its source is out of this machine's reach, so that its tests have to be skipped. */
  readonly isMissing: boolean;
  /** Errors: it is missing. To be called in hooks and tests alone. */
  readonly release: () => BuiltRelease;
}

/** For `describe.skipIf(isMissing)(title, …)`. */
export function engineCases(
  engines: readonly MoveEngine[] = ['migrate', 'redis-atomic', 'valkey-atomic'],
): readonly EngineCase[] {
  return engines.map((engine) => {
    const release = inject('releases')[engine];
    const isMissing = 'missing' in release;
    return {
      engine,
      title: isMissing ? `${engine}: ${release.missing}` : release.name,
      isMissing,
      release: () => {
        if (isMissing) throw new Error(release.missing);
        return release;
      },
    };
  });
}
