/** Random hosts, releases and builds. */
import type * as core from '@redrover/core';
import * as fc from 'fast-check';
import {
  bool,
  list,
  maybe,
  name,
  record,
  sha256,
  text,
  timeMs,
  uint32,
  uint64,
  word,
} from './field-arbitraries.ts';
import { product } from './shared-arbitraries.ts';

export const hostStatus = fc.constantFrom<core.HostStatus[]>('online', 'suspect', 'lost');

export const hostFacts = record<core.HostFacts>({
  hostname: text,
  cores: uint32,
  memoryBytes: uint64,
  diskTotalBytes: uint64,
  diskFreeBytes: uint64,
  kernel: text,
  os: text,
  arch: text,
  libc: text,
  compiler: text,
  addresses: list(text),
  platform: text,
  root: bool,
  agentVersion: text,
  rootDirectory: text,
});

export const tuningItem = record<core.TuningItem>({
  name: word,
  found: text,
  wanted: text,
  source: text,
  state: fc.constantFrom('ok', 'differs', 'not-persisted', 'needs-root', 'read-only', 'advice'),
  before: maybe(text),
  hint: text,
});

export const releaseSource: fc.Arbitrary<core.ReleaseSource> = fc.oneof(
  fc.record({ kind: fc.constant('https' as const), url: word }),
  fc.record({ kind: fc.constant('upload' as const), fileName: word }),
  fc.record({ kind: fc.constant('apt' as const), package: name, suite: text }),
);

export const release = record<core.Release>({
  name,
  product,
  version: name,
  source: releaseSource,
  sha256,
});

export const build = record<core.Build>({
  id: name,
  release: name,
  platform: name,
  provenance: record<core.BuildProvenance>({
    sourceSha256: sha256,
    sourceLocation: text,
    compiler: text,
    flags: list(text),
    builtOnHost: text,
    builtAtMs: timeMs,
    durationMs: uint64,
    binaries: fc.dictionary(name, sha256, { maxKeys: 4, noNullPrototype: true }),
  }),
});

export const installedBuild = record<core.InstalledBuild>({ id: name, release: name });
export const sharedBuild = record<core.SharedBuild>({ id: name, release: name, platform: name });
