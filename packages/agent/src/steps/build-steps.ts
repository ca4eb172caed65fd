/** `buildRelease` and `fetchBuild`: the builder does it, this only says so. */
import type { BuildReleaseStep, FetchBuildStep } from '@redrover/core';
import type { HostContext, StepEffect, StepRun } from './step-context.ts';

export async function buildRelease(
  { builder, shareBuild }: HostContext,
  { release }: BuildReleaseStep,
  { onLine, signal }: StepRun,
): Promise<StepEffect> {
  const build = await builder.build(release, { onLine, signal });
  onLine(`sharing the build of ${release.name} with the controller`);
  await shareBuild(build, signal);
  const seconds = Math.round(build.provenance.durationMs / 1000);
  const { compiler } = build.provenance;
  return { touched: [], message: `${release.name} built by ${compiler} in ${seconds} s` };
}

export async function fetchBuild(
  { builder }: HostContext,
  { release, buildId }: FetchBuildStep,
  { onLine, signal }: StepRun,
): Promise<StepEffect> {
  const build = await builder.fetch(release, buildId, { onLine, signal });
  const { builtOnHost } = build.provenance;
  return { touched: [], message: `${release.name} as built on ${builtOnHost}, verified` };
}
