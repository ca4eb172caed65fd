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
  const names = await listDirectory(paths);
  if (names === undefined) return { exists: false, names: [], marker: undefined, hasData: false };
  const marker = await readMarker(paths);
  return { exists: true, names, marker, hasData: names.some(isData) };
}

/** The names in it, but for half-written files of a killed agent; undefined when it is not there. */
export async function listDirectory({ directory }: NodePaths): Promise<string[] | undefined> {
  try {
    return (await readdir(directory)).filter((name) => !isTemporaryFile(name));
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') return undefined;
    throw fileError(thrown, `reading the directory ${directory}`);
  }
}

/** Whether it is an AOF or an RDB file. */
export function isDataset(name: string): boolean {
  return name === AOF_DIRECTORY_NAME || name.endsWith('.aof') || name.endsWith('.rdb');
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
  return isDataset(name) || name === 'nodes.conf' || /^nodes-\d+\.conf$/.test(name);
}
