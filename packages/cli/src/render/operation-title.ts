/** Operations by name: what was asked for, of which cluster, and whether anybody asked at all. */
import type { Operation } from '@redrover/core';

export type TitledOperation = Pick<Operation, 'kind' | 'cluster' | 'reason' | 'automatic'>;

/** `create shop`, `drain host h2 (shop)`, `automatic repair of shop`. */
export function operationTitle(operation: TitledOperation): string {
  const { kind, cluster, reason } = operation;
  if (kind === 'repair') return `${operationPurpose(operation)} of ${cluster}`;
  return isToldByKind(operation) ? `${kind} ${cluster}` : `${reason} (${cluster})`;
}

/** The same where the cluster is named beside it: `create`, `drain host h2`, `automatic repair`. */
export function operationPurpose(operation: Omit<TitledOperation, 'cluster'>): string {
  const purpose = isToldByKind(operation) ? operation.kind : operation.reason;
  return operation.automatic ? `automatic ${purpose}` : purpose;
}

/** A repair may name itself as its reason. */
function isToldByKind({ kind, reason }: Pick<Operation, 'kind' | 'reason'>): boolean {
  return kind === 'repair' || reason === '' || reason === kind;
}
