/** Controller and agents of a bench, in a directory of their own; ended as well when the bench is interrupted. */
import { constants } from 'node:os';

import { findPrograms, LocalStack } from '@redrover/cli';

import { cacheDirectory, distDirectory } from '../support/paths.ts';
import { createScratchDirectory } from '../support/scratch.ts';

export interface BenchStack {
  /** Of hosts `h1`, `h2`, … Not started yet. */
  readonly stack: LocalStack;
  /** Ends what runs and removes what it wrote. */
  readonly end: () => Promise<void>;
}

/** @param addresses one host each. */
export async function prepareStack(addresses: readonly string[]): Promise<BenchStack> {
  const scratch = await createScratchDirectory('bench');
  const stack = new LocalStack({
    directory: scratch.path,
    programs: findPrograms(distDirectory),
    hosts: addresses.map((address, index) => ({ name: `h${index + 1}`, address })),
    cacheDirectory: cacheDirectory(),
  });
  const end = endAtInterrupt(async () => {
    await stack.stop();
    await scratch.remove();
  });
  return { stack, end };
}

/** Answers the same work, done once however often it is asked for, and before an interrupted bench is gone. */
export function endAtInterrupt(work: () => Promise<void>): () => Promise<void> {
  let ended: Promise<void> | undefined;
  const end = () => (ended ??= work());
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(name, () => void end().finally(() => process.exit(128 + constants.signals[name])));
  }
  return end;
}
