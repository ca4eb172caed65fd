/** What is in a node's directory, as far as it decides whether Redrover may use it. Changes nothing. */
import { readdir } from 'node:fs/promises';
import { RedroverError, type NodePlan } from '@redrover/core';
import { errnoOf, fileError, isTemporaryFile } from '../files/durable-file.ts';
import { readMarker, type MarkerFile } from './marker.ts';
import { AOF_DIRECTORY_NAME, type NodePaths } from './paths.ts';

export interface DirectoryContents {
  readonly exists: boolean;
  readonly names: readonly string[];
  readonly marker: MarkerFile | undefined;
  /** Holds an AOF, an RDB file or a nodes.conf. */
  readonly hasData: boolean;
}

export async function inspectDirectory(paths: NodePaths): Promise<DirectoryContents> {
  let names: string[];
  try {
    // A half-written file of a killed agent is nothing that somebody put there.
    names = (await readdir(paths.directory)).filter((name) => !isTemporaryFile(name));
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') {
      return { exists: false, names: [], marker: undefined, hasData: false };
    }
    throw fileError(thrown, `reading the directory ${paths.directory}`);
  }
  const marker = await readMarker(paths);
  return { exists: true, names, marker, hasData: names.some(isData) };
}

/**
 * Refuses a directory that is not empty and not provably of this cluster.
 *
 * @throws RedroverError `data-loss` for data without our marker, `already-exists` for the directory
 * of another cluster or for any other files.
 */
export function refuseForeignDirectory(
  plan: NodePlan,
  paths: NodePaths,
  contents: DirectoryContents,
): void {
  const { marker, names, hasData } = contents;
  if (marker !== undefined) {
    if (marker.clusterId === plan.clusterId) return;
    throw new RedroverError(
      'already-exists',
      `${paths.directory} belongs to the cluster ${marker.cluster} (${marker.clusterId}), not to ` +
        `${plan.cluster} (${plan.clusterId}); remove that cluster first, or choose another port`,
    );
  }
  if (names.length === 0) return;
  throw new RedroverError(
    hasData ? 'data-loss' : 'already-exists',
    `${paths.directory} holds ${hasData ? 'data' : 'files'} that Redrover did not put there ` +
      `(${names.slice(0, 5).join(', ')}); move the directory away, or choose another port`,
  );
}

function isData(name: string): boolean {
  return (
    name === AOF_DIRECTORY_NAME ||
    name.endsWith('.aof') ||
    name.endsWith('.rdb') ||
    name === 'nodes.conf' ||
    /^nodes-\d+\.conf$/.test(name)
  );
}
