/** Refusals that name no remedy of their own are told with what would work instead. */
import type { Finding } from '../model/finding.ts';

export function withRemedies(
  refusals: readonly Finding[],
  alternatives: readonly string[],
): Finding[] {
  const remedy =
    alternatives.length === 0
      ? 'No single change of hosts, shards, replicas or memory is enough; plan a smaller cluster.'
      : `What would work: ${alternatives.join('; or ')}.`;
  return refusals.map((finding) => (finding.remedy === '' ? { ...finding, remedy } : finding));
}
