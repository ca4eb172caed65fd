/** What identifies a build, and reading its provenance back. Where builds are kept is `build-store.ts`'s business. */
import { createHash } from 'node:crypto';

import { RedroverError, type Build, type BuildProvenance } from '@redrover/core';

export interface BuildIdentity {
  readonly sourceSha256: string;
  readonly platform: string;
  readonly flags: readonly string[];
}

/** Equal ids are interchangeable: same source, same platform, same flags. */
export function computeBuildId({ sourceSha256, platform, flags }: BuildIdentity): string {
  const identity = JSON.stringify(['redrover-build-1', sourceSha256, platform, flags]);
  return createHash('sha256').update(identity).digest('hex');
}

/** Reads `provenance.json`; throws `integrity` when it is not one, or its id is not what it should be. */
export function parseBuild(text: string, path: string): Build {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new RedroverError(
      'integrity',
      `${path} is not JSON; remove the build and make it again`,
      {
        cause,
      },
    );
  }
  if (!isBuild(parsed)) {
    throw new RedroverError('integrity', `${path} does not describe a build; make it again`);
  }
  const expected = computeBuildId({ ...parsed.provenance, platform: parsed.platform });
  if (expected !== parsed.id) {
    throw new RedroverError(
      'integrity',
      `${path} says build ${parsed.id}, but its source, platform and flags make ${expected}`,
    );
  }
  return parsed;
}

function isBuild(value: unknown): value is Build {
  if (!isRecord(value)) return false;
  const { id, release, platform, provenance } = value;
  return [id, release, platform].every(isText) && isProvenance(provenance);
}

function isProvenance(value: unknown): value is BuildProvenance {
  if (!isRecord(value) || !isRecord(value['binaries']) || !Array.isArray(value['flags'])) {
    return false;
  }
  const texts = ['sourceSha256', 'sourceLocation', 'compiler', 'builtOnHost'];
  return (
    texts.every((key) => isText(value[key])) &&
    ['builtAtMs', 'durationMs'].every((key) => typeof value[key] === 'number') &&
    value['flags'].every(isText) &&
    Object.entries(value['binaries']).every(isBinary)
  );
}

function isBinary([name, sha256]: [string, unknown]): boolean {
  return /^[a-z][a-z0-9-]*$/.test(name) && isText(sha256) && /^[0-9a-f]{64}$/.test(sha256);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
