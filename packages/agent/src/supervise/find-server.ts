/** The living server of a node: the one that was written down, or one that only its traits tell. */
import type { NodeRecord, ProcessIdentity } from '../nodes/node-record.ts';
import type { NodePaths } from '../nodes/paths.ts';
import { findNodeProcess, identify, isAlive, looksLikeNode, readBootId } from './processes.ts';

/** Undefined if there is none; `now` by the wall clock. */
export function findServer(
  { process: known, port }: NodeRecord,
  { directory, config }: NodePaths,
  now: number,
): ProcessIdentity | undefined {
  const traits = { directory, config, port };
  if (
    known !== undefined &&
    known.bootId === readBootId() &&
    isAlive(known) &&
    looksLikeNode(known.pid, traits)
  ) {
    return known;
  }
  const pid = findNodeProcess(traits);
  return pid === undefined ? undefined : identify(pid, now);
}
