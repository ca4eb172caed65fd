/**
 * What is reported of a node's process and directory, beside what its server says. Whatever is wrong
 * with the files of one node is a fact about that node, never an error: the others are reported too.
 */
import { stat } from 'node:fs/promises';
import { RedroverError, type NodeMarker, type ProcessObservation } from '@redrover/core';
import { errnoOf } from '../files/durable-file.ts';
import { inspectDirectory, type DirectoryContents } from '../nodes/directory.ts';
import type { NodeRecord } from '../nodes/node-record.ts';
import type { NodePaths } from '../nodes/paths.ts';
import { readIdentity } from './identity.ts';
import type { ProcessStatus } from './node-supervisor.ts';

/** Nothing is lost by knowing later that a directory was deleted: its server has long answered from memory. */
const FILES_READ_MS = 5_000;

interface ObservedNode {
  readonly record: NodeRecord;
  readonly paths: NodePaths;
  readonly status: ProcessStatus;
}

/** Of a node that answers: its directory is its own business, as long as it `isThere`. */
export function observeAnswering(node: ObservedNode, isThere: boolean): ProcessObservation {
  const { record, paths, status } = node;
  const reason =
    `its directory ${paths.directory} was deleted or emptied while it runs: what it holds is in its ` +
    'memory only, and it cannot be started again; hand its slots over to a replica before it ends';
  return {
    ...status,
    reason: isThere ? status.reason : reason,
    marker: markerOnly(record),
    // A server that answers has written its nodes.conf.
    hasData: true,
    identityLost: false,
    planHash: record.planHash,
    buildId: record.build.id,
  };
}

/** Of a node that does not answer, whether it runs or not. */
export async function observeSilent(node: ObservedNode): Promise<ProcessObservation> {
  const { record, paths, status } = node;
  const isDown = status.pid === undefined;
  const own = { planHash: record.planHash, buildId: record.build.id };
  try {
    const contents = await inspectDirectory(paths);
    if (!contents.exists && isDown) {
      const gone = `its directory ${paths.directory} is gone`;
      const reason = status.state === 'held' ? status.reason : gone;
      return { ...absentProcess(contents), reason, restarts: status.restarts };
    }
    const { marker, hasData } = contents;
    // A living server writes its nodes.conf itself.
    const identityLost = isDown && (await readIdentity(record, paths)) === 'lost';
    return { ...status, marker: markerOnly(marker), hasData, identityLost, ...own };
  } catch (thrown) {
    const { message } = RedroverError.from(thrown);
    const reason = status.reason === '' ? message : `${message} (${status.reason})`;
    // What is in there is not known, so it must not be taken for nothing.
    const unknown = { marker: undefined, hasData: true, identityLost: false };
    return { ...status, reason, ...unknown, ...own };
  }
}

/** Of a directory that no record is known of: it may be somebody's, or not be there at all. */
export async function observeUnknown(paths: NodePaths): Promise<ProcessObservation> {
  try {
    return absentProcess(await inspectDirectory(paths));
  } catch (thrown) {
    const { message } = RedroverError.from(thrown);
    return { ...absentProcess({ marker: undefined, hasData: true }), reason: message };
  }
}

function absentProcess({
  marker,
  hasData,
}: Pick<DirectoryContents, 'marker' | 'hasData'>): ProcessObservation {
  return {
    state: 'absent',
    pid: undefined,
    startedAtMs: undefined,
    restarts: 0,
    reason: '',
    marker: markerOnly(marker),
    hasData,
    identityLost: false,
    planHash: '',
    buildId: '',
  };
}

/** Whether a node's directory has its files. It costs as much as asking the node, and rarely changes. */
export class FilesWatch {
  #isThere = true;
  #lookedTick = -Infinity;

  /** True also when they cannot be looked at: a dead disk is not a deleted directory. */
  async look({ config }: Pick<NodePaths, 'config'>, fresh: boolean): Promise<boolean> {
    const tick = performance.now();
    if (!fresh && tick - this.#lookedTick < FILES_READ_MS) return this.#isThere;
    this.#lookedTick = tick;
    try {
      await stat(config);
      this.#isThere = true;
    } catch (thrown) {
      this.#isThere = errnoOf(thrown) !== 'ENOENT';
    }
    return this.#isThere;
  }
}

function markerOnly(marker: NodeMarker | undefined): NodeMarker | undefined {
  if (marker === undefined) return undefined;
  const { cluster, clusterId, layoutNumber } = marker;
  return { cluster, clusterId, layoutNumber };
}
