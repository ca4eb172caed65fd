/** Before integration and e2e tests: the programs are built, and there is a real Redis to run. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';

import { obtainBuiltRelease } from './built-release.ts';
import type { BuiltRelease } from './built-release.ts';
import { repositoryRoot } from './paths.ts';

declare module 'vitest' {
  interface ProvidedContext {
    release: BuiltRelease;
  }
}

// Both projects ask for it; the second one gets what the first one has made.
let ready: Promise<BuiltRelease> | undefined;

export async function setup(project: TestProject): Promise<void> {
  ready ??= prepare();
  project.provide('release', await ready);
}

async function prepare(): Promise<BuiltRelease> {
  await buildPrograms();
  return obtainBuiltRelease();
}

async function buildPrograms(): Promise<void> {
  const script = join(repositoryRoot, 'scripts', 'build.mjs');
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 2, 2] });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${script} failed with exit code ${code}`);
}
