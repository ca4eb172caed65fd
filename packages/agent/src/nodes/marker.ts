/**
 * `redrover.json` in a node's directory: whose data this is. Written before the first start and never
 * secret; a directory without it is somebody else's.
 */
import { RedroverError, type NodeMarker, type NodePlan } from '@redrover/core';
import { writeDurableFile, type FileOwner } from '../files/durable-file.ts';
import { readNodeFile } from './node-file.ts';
import type { NodePaths } from './paths.ts';

/** What of a build a node needs: kept in the marker, so that a node starts without anything else. */
export interface NodeBuild {
  readonly id: string;
  /** Absolute path of the server binary. */
  readonly server: string;
}

export interface MarkerFile extends NodeMarker {
  readonly format: 1;
  readonly planHash: string;
  readonly build: NodeBuild;
  /** All that the config was rendered from, but for the password. */
  readonly plan: NodePlan;
}

/** @throws RedroverError `data-loss` for a marker that cannot be read: better no start than a wrong one. */
export async function readMarker(paths: NodePaths): Promise<MarkerFile | undefined> {
  const text = await readNodeFile(paths.marker);
  if (text === undefined) return undefined;
  const marker = parseMarker(text);
  if (marker !== undefined) return marker;
  throw new RedroverError(
    'data-loss',
    `${paths.marker} is not a marker that this agent can read, so it is unknown whose data is ` +
      `in ${paths.directory}; put the file back from a backup, or move the directory away`,
  );
}

export async function writeMarker(
  paths: NodePaths,
  marker: MarkerFile,
  owner: FileOwner | undefined,
): Promise<void> {
  const text = `${JSON.stringify(marker, undefined, 2)}\n`;
  await writeDurableFile(paths.marker, text, { mode: 0o644, owner });
}

function parseMarker(text: string): MarkerFile | undefined {
  let value: Partial<MarkerFile> | null;
  try {
    value = JSON.parse(text) as Partial<MarkerFile> | null;
  } catch {
    // Not JSON: the caller says so.
    return undefined;
  }
  const complete =
    value?.format === 1 &&
    typeof value.cluster === 'string' &&
    typeof value.clusterId === 'string' &&
    typeof value.layoutNumber === 'number' &&
    typeof value.planHash === 'string' &&
    typeof value.build?.id === 'string' &&
    typeof value.build.server === 'string' &&
    typeof value.plan?.node?.key === 'string';
  return complete ? (value as MarkerFile) : undefined;
}
