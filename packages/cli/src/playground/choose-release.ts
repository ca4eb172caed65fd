/**
 * Gets the playground a release whose source can be had here: the project's own archive if its
 * server answers, else the distribution's source package.
 */
import { RedroverError, findRelease, parseReleaseName } from '@redrover/core';
import { releaseFromProto, releaseSourceToProto } from '@redrover/wire';

import { ADD_TIMEOUT_MS } from '../commands/release.ts';
import { readSourceArgument } from '../commands/release-source.ts';
import { uploadRelease } from '../commands/upload.ts';
import type { Session } from '../program/session.ts';
import { present } from '../render/present.ts';
import { DEFAULT_RELEASE } from './options.ts';

// A server that is there answers within a fraction of it; without a network nobody should wait.
const OFFICIAL_TIMEOUT_MS = 4_000;

/** The name of a release that the controller knows and whose source is within reach. */
export async function chooseRelease(session: Session, wanted: string): Promise<string> {
  if (/[:/]/.test(wanted)) return addSource(session, wanted);
  const { product } = parseReleaseName(wanted);
  const official = findRelease(wanted);
  if (official?.source.kind === 'https' && (await answers(official.source.url))) return wanted;
  if (official === undefined && (await isKnown(session, wanted))) return wanted;
  session.output.note(
    `${wanted}: its project's server does not answer; taking the distribution's source (apt).`,
  );
  const found = await addSource(session, `apt:${product}`);
  if (found === wanted || wanted === DEFAULT_RELEASE) return found;
  throw new RedroverError(
    'unavailable',
    `${wanted} cannot be downloaded from here, and the distribution has ${found}: ` +
      `use --release ${found}, or give the archive: --release ./${wanted}.tar.gz`,
  );
}

async function answers(url: string): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(OFFICIAL_TIMEOUT_MS);
    return (await fetch(url, { method: 'HEAD', signal })).ok;
  } catch {
    // No network, no name server, a firewall: whatever it is, the source is not to be had there.
    return false;
  }
}

async function isKnown({ api }: Session, release: string): Promise<boolean> {
  const { releases } = await api.releases.listReleases({ all: true });
  return releases.some((each) => each.release?.name === release);
}

async function addSource(session: Session, text: string): Promise<string> {
  const argument = readSourceArgument(text);
  const added =
    argument.kind === 'file'
      ? await uploadRelease(session, { ...argument, name: '', sha256: '' })
      : (
          await session.api.releases.addRelease(
            { source: releaseSourceToProto(argument.source) },
            session.allow(ADD_TIMEOUT_MS),
          )
        ).release;
  return releaseFromProto(present(present(added, 'release').release, 'release')).name;
}
