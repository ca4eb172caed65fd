/** Takes the directory of a stopped node away: to the trash folder, or for good. */
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { RedroverError } from '@redrover/core';
import { ensureDirectory, fileError, syncDirectory } from '../files/durable-file.ts';
import { inspectDirectory } from './directory.ts';
import { nodePaths, type AgentPaths } from './paths.ts';

export interface RemoveRequest {
  readonly paths: AgentPaths;
  readonly port: number;
  /** Only a directory that carries this id is touched. */
  readonly clusterId: string;
  readonly purge: boolean;
  readonly now: number;
}

/** Where the directory is now; undefined when it was deleted, or there was none. */
export async function removeNodeDirectory(request: RemoveRequest): Promise<string | undefined> {
  const { paths, port, clusterId, purge } = request;
  const { directory } = nodePaths(paths.root, port);
  const { exists, marker } = await inspectDirectory(nodePaths(paths.root, port));
  if (!exists) return undefined;
  if (marker?.clusterId !== clusterId) {
    throw new RedroverError(
      'failed-precondition',
      `${directory} is not removed: it carries ${marker === undefined ? 'no marker' : 'the marker of ' + marker.cluster}, ` +
        `not that of cluster ${clusterId}`,
    );
  }
  const target = trashName(request, marker.cluster);
  try {
    await ensureDirectory(paths.trash, { mode: 0o700 });
    // Deleting goes through the trash too: a rename is done or not, a deletion may be half done.
    await rename(directory, target);
    await syncDirectory(paths.root);
    await syncDirectory(paths.trash);
    if (!purge) return target;
    await rm(target, { recursive: true, force: true });
    return undefined;
  } catch (thrown) {
    throw fileError(thrown, `removing ${directory}`);
  }
}

function trashName({ paths, port, now }: RemoveRequest, cluster: string): string {
  const time = new Date(now).toISOString().replaceAll(':', '-');
  return join(paths.trash, `${cluster}-${port}-${time}`);
}
