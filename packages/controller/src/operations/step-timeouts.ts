/** How long each kind of step may take before the controller stops waiting for it. */
import type { StepKind } from '@redrover/core';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;

const TIMEOUT_MS: Readonly<Record<StepKind, number>> = {
  // Redis with TLS takes 2 minutes on 2 cores, and a slow single core ten times that.
  buildRelease: 45 * MINUTE_MS,
  // Some 10 MiB, from a controller that may serve a hundred hosts at once.
  fetchBuild: 10 * MINUTE_MS,
  // Starts the real binary on a scratch port.
  prepareNode: MINUTE_MS,
  // Loading a large dataset goes on after the step; only the process must be up.
  startNode: 2 * MINUTE_MS,
  // Ports that do not answer run into their own, shorter timeouts.
  probeMesh: MINUTE_MS,
  setTiming: 15 * SECOND_MS,
  claimSlots: 15 * SECOND_MS,
  meetNodes: 15 * SECOND_MS,
  attachReplica: 15 * SECOND_MS,
  // Up to 10 s until Redis lets the replica be elected again, 5 s for the handoff itself (cluster.c,
  // CLUSTER_MF_TIMEOUT), and 10 s until the old master is seen to follow.
  handoffMaster: 30 * SECOND_MS,
  forgetNodes: 15 * SECOND_MS,
  // As long as the slots take; ended by whoever cancels it, by the lease, or when an end fails.
  moveSlots: 24 * 60 * MINUTE_MS,
  // A window that is half open is brought to an end first.
  stopMoves: 2 * MINUTE_MS,
  verifyWrite: 15 * SECOND_MS,
  // SHUTDOWN may write a large dataset to disk first.
  stopNode: 10 * MINUTE_MS,
  // A purge deletes files, a trash folder on another file system copies them.
  removeNode: 10 * MINUTE_MS,
};

export function timeoutOfStep(kind: StepKind): number {
  return TIMEOUT_MS[kind];
}
