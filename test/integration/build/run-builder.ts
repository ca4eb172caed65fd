// Runs the agent's builder in a process of its own, which can be killed or put into namespaces.
import { fileURLToPath } from 'node:url';

import type { Build, ErrorContext, Release } from '@redrover/core';

export interface BuildJob {
  readonly rootDirectory: string;
  readonly cacheDirectory: string;
  readonly buildUser?: string | undefined;
  readonly archive: string;
  readonly release: Release;
}

export interface BuildOutcome {
  readonly build?: Build;
  readonly error?: {
    readonly code: string;
    readonly message: string;
    readonly context: ErrorContext;
  };
}

/** Node runs it as it is. */
const runner = fileURLToPath(
  new URL('../../../packages/agent/src/build/testing/print-build.ts', import.meta.url),
);

/** The command that does the job and prints a `BuildOutcome`. */
export function builderCommand(job: BuildJob): string[] {
  return [process.execPath, '--no-warnings', runner, JSON.stringify(job)];
}
