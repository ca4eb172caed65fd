/** Why an operation failed, as its record says it. */
import type { Finding } from '@redrover/core';

/** Enough to act on; the rest is likely of the same kind. */
const MAX_EXPLAINED = 3;

export function explainBlockers(blockers: readonly Finding[]): string {
  const shown = blockers
    .slice(0, MAX_EXPLAINED)
    .map(({ message, remedy }) => (remedy === '' ? message : `${message}; ${remedy}`));
  const more = blockers.length - shown.length;
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join('\n');
}
