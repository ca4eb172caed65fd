/** Before integration and e2e tests: the programs are built, and there are real servers to run. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';

import { obtainBuiltReleases } from './built-release.ts';
import type { BuiltRelease, ObtainedReleases } from './built-release.ts';
import { repositoryRoot } from './paths.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The one that most tests use. */
    release: BuiltRelease;
    releases: ObtainedReleases;
  }
}

// All projects ask for it; the others get what the first one has made.
let ready: Promise<ObtainedReleases> | undefined;

export async function setup(project: TestProject): Promise<void> {
  ready ??= prepare();
  const releases = await ready;
  project.provide('release', releases.migrate);
  project.provide('releases', releases);
}

async function prepare(): Promise<ObtainedReleases> {
  await buildPrograms();
  return obtainBuiltReleases();
}

async function buildPrograms(): Promise<void> {
  const script = join(repositoryRoot, 'scripts', 'build.mjs');
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 2, 2] });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${script} failed with exit code ${code}`);
}
