/** Releases and their builds, for people and for scripts. */
import type { Build, Release, ReleaseSource } from '@redrover/core';
import type { ReleaseSummary } from '@redrover/proto';
import { buildFromProto, releaseFromProto } from '@redrover/wire';

import type { View } from '../output/output.ts';
import { formatAge, formatDuration } from '../output/units.ts';
import { present } from './present.ts';
import { isoTime } from './times.ts';

export interface ReleaseView extends Release {
  readonly builtIn: boolean;
  readonly builds: readonly BuildView[];
}

export function toReleaseView(summary: ReleaseSummary): ReleaseView {
  return {
    ...releaseFromProto(present(summary.release, 'release')),
    builtIn: summary.builtIn,
    builds: summary.builds.map((build) => toBuildView(buildFromProto(build))),
  };
}

export type BuildView = ReturnType<typeof toBuildView>;

export function toBuildView(build: Build) {
  const { builtAtMs, ...provenance } = build.provenance;
  return { ...build, provenance: { ...provenance, builtAt: isoTime(builtAtMs) } };
}

export function renderReleases(releases: readonly ReleaseView[], view: View): string {
  if (releases.length === 0) {
    return 'No releases in use yet; `redrover release ls --all` shows the built-in catalogue.';
  }
  const rows = releases.map((release) => [
    release.name,
    describeSource(release.source),
    release.sha256.slice(0, 12),
    release.builtIn ? 'catalogue' : 'added',
    release.builds.map(({ platform }) => platform).join(', '),
  ]);
  return view.table(['NAME', 'SOURCE', 'SHA-256', 'KNOWN BY', 'BUILT FOR'], rows);
}

export function renderRelease(release: ReleaseView, view: View, nowMs: number): string {
  const { style } = view;
  const builds = release.builds.flatMap((build) => ['', ...renderBuild(build, view, nowMs)]);
  return [
    style.strong(release.name),
    row('Source', describeSource(release.source), view),
    row('SHA-256', release.sha256, view),
    row('Known by', release.builtIn ? 'the built-in catalogue' : '`redrover release add`', view),
    ...(builds.length > 0
      ? builds
      : ['', 'Not built yet: the first cluster that uses it builds it.']),
  ].join('\n');
}

export function renderBuild({ id, platform, provenance }: BuildView, view: View, nowMs: number) {
  const builtAtMs = provenance.builtAt === null ? undefined : Date.parse(provenance.builtAt);
  const age = formatAge(builtAtMs, nowMs);
  const took = formatDuration(provenance.durationMs);
  return [
    view.style.strong(`build for ${platform}`),
    row('Build id', id, view),
    row('Built', `${age} on ${provenance.builtOnHost}, in ${took}`, view),
    row('From', provenance.sourceLocation, view),
    row('Source hash', provenance.sourceSha256, view),
    row('Compiler', provenance.compiler, view),
    row('make', provenance.flags.join(' '), view),
    ...Object.entries(provenance.binaries).map(([name, sha256]) => row(name, sha256, view)),
  ];
}

function describeSource(source: ReleaseSource): string {
  switch (source.kind) {
    case 'https':
      return source.url;
    case 'upload':
      return `upload of ${source.fileName}`;
    case 'apt':
      return source.suite === ''
        ? `apt:${source.package}`
        : `apt:${source.package}@${source.suite}`;
  }
}

function row(name: string, value: string, { style }: View): string {
  return `  ${style.faint(name.padEnd(16))} ${value}`;
}
