/** Takes the directory of a stopped node away: to the trash folder, or for good. */
import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { RedroverError } from '@redrover/core';
import { ensureDirectory, errnoOf, fileError, syncDirectory } from '../files/durable-file.ts';
import { inspectDirectory } from './directory.ts';
import { nodePaths, type AgentPaths } from './paths.ts';

export interface RemoveRequest {
  readonly paths: AgentPaths;
  readonly port: number;
  readonly cluster: string;
  /** A directory that carries another id is not touched. */
  readonly clusterId: string;
  readonly purge: boolean;
  readonly now: number;
}

/** Begins the name of what is to be deleted; the name of a cluster does not begin with a dot. */
const PURGED = '.purged-';

export type Removal =
  | { readonly kind: 'kept'; readonly path: string }
  | { readonly kind: 'deleted' }
  /** There was none, or an empty one. */
  | { readonly kind: 'none' };

/**
 * The caller's record says that the directory is the node's. One that has lost its marker all the same
 * is never deleted, only moved.
 *
 * @throws RedroverError `failed-precondition` for the directory of another cluster.
 */
export async function removeNodeDirectory(request: RemoveRequest): Promise<Removal> {
  const { paths, port, clusterId, purge } = request;
  const { directory } = nodePaths(paths.root, port);
  if (purge) await finishPurge(request);
  const { exists, marker, names } = await inspectDirectory(nodePaths(paths.root, port));
  if (!exists) return { kind: 'none' };
  if (marker !== undefined && marker.clusterId !== clusterId) {
    throw new RedroverError(
      'failed-precondition',
      `${directory} is not removed: it carries the marker of ${marker.cluster}, not that of cluster ` +
        clusterId,
    );
  }
  const isOurs = marker !== undefined || names.length === 0;
  const target = trashName({ ...request, purge: purge && isOurs });
  try {
    await ensureDirectory(paths.trash, { mode: 0o700 });
    // Deleting goes through the trash too: a rename is done or not, a deletion may be half done.
    await rename(directory, target);
    await syncDirectory(paths.root);
    await syncDirectory(paths.trash);
    if (names.length > 0 && !(purge && isOurs)) return { kind: 'kept', path: target };
    await rm(target, { recursive: true, force: true });
    return names.length === 0 ? { kind: 'none' } : { kind: 'deleted' };
  } catch (thrown) {
    throw fileError(thrown, `removing ${directory}`);
  }
}

/** No part of it comes from the directory, where the node's user writes what it likes. */
function trashName(request: RemoveRequest): string {
  const time = new Date(request.now).toISOString().replaceAll(':', '-');
  return join(request.paths.trash, `${trashPrefix(request)}${time}`);
}

function trashPrefix({ cluster, port, purge }: RemoveRequest): string {
  return `${purge ? PURGED : ''}${cluster}-${port}-`;
}

/** What an agent that was killed meanwhile had not deleted yet. */
async function finishPurge(request: RemoveRequest): Promise<void> {
  const { trash } = request.paths;
  try {
    for (const name of await readdir(trash)) {
      if (!name.startsWith(trashPrefix(request))) continue;
      await rm(join(trash, name), { recursive: true, force: true });
    }
  } catch (thrown) {
    if (errnoOf(thrown) !== 'ENOENT') throw fileError(thrown, `emptying ${trash}`);
  }
}
