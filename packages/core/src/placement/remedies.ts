/** Refusals that name no remedy of their own: the alternatives say what would work; where there are none, that is said. */
import type { Finding } from '../model/finding.ts';

const NO_WAY =
  'No single change of hosts, shards, replicas or memory is enough; plan a smaller cluster.';

export function withRemedies(
  refusals: readonly Finding[],
  alternatives: readonly string[],
): Finding[] {
  if (alternatives.length > 0) return [...refusals];
  return refusals.map((finding) =>
    finding.remedy === '' ? { ...finding, remedy: NO_WAY } : finding,
  );
}
