/** The last lines that a node of a cluster has logged, as its agent reads them. */
import { RedroverError, type NodeKey } from '@redrover/core';

import { findCluster, type PlannerContext } from './cluster-plan.ts';

const TAIL_TIMEOUT_MS = 15_000;
const DEFAULT_LINES = 100;
const MAX_LINES = 10_000;

export interface LogRequest {
  /** Of the cluster. */
  readonly name: string;
  readonly key: NodeKey;
  /** 0: as many as fit on a few screens. */
  readonly lines: number;
}

/** @throws RedroverError `not-found` for the cluster or the node, `invalid-argument`. */
export async function tailNodeLog(
  context: PlannerContext,
  { name, key, lines }: LogRequest,
): Promise<string[]> {
  const { layout } = await findCluster(context, name);
  const node = layout.nodes.find((candidate) => candidate.key === key);
  if (node === undefined) {
    const keys = layout.nodes.map((candidate) => candidate.key).join(', ');
    throw new RedroverError('not-found', `${name} has no node ${key}; it has ${keys}`);
  }
  if (lines > MAX_LINES) {
    throw new RedroverError('invalid-argument', `lines: got ${lines}, at most ${MAX_LINES}`);
  }
  const value = { node: key, lines: lines === 0 ? DEFAULT_LINES : lines };
  const { result } = await context.agents.command(
    node.host,
    `reading the log of ${key}`,
    { case: 'tailLog', value },
    { timeoutMs: TAIL_TIMEOUT_MS },
  );
  return result.case === 'log' ? result.value.lines : [];
}
