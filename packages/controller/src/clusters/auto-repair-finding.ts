/** What people are told of a repair that may begin by itself, and does not yet. */
import type { AutoRepairDecision, Finding } from '@redrover/core';

/** `obstacle`: why a repair that was due could not begin; empty if there is none. */
export function findingOf(
  cluster: string,
  decision: AutoRepairDecision,
  obstacle: string,
): Finding | undefined {
  const subject = cluster;
  const evidence: string[] = [];
  const now = `redrover cluster repair ${cluster}`;
  if (decision.kind === 'frozen') {
    return {
      rule: 'repair-frozen',
      severity: 'warning',
      subject,
      message: `No automatic repair: ${decision.reason}`,
      evidence,
      remedy: `See what a repair would do: ${now}`,
    };
  }
  if (obstacle !== '') {
    return {
      rule: 'repair-blocked',
      severity: 'warning',
      subject,
      message: `An automatic repair was due and could not begin: ${obstacle}`,
      evidence,
      remedy: `See what is in its way: ${now}`,
    };
  }
  if (decision.kind !== 'waiting' || decision.dueAtMs === undefined) return undefined;
  return {
    rule: 'repair-waiting',
    severity: 'info',
    subject,
    message: decision.reason,
    evidence: [`due at ${new Date(decision.dueAtMs).toISOString()} if nothing changes`],
    remedy: `Repair now instead: ${now}`,
  };
}
