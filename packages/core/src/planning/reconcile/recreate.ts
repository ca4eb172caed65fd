/**
 * Nodes that are made anew: their directory goes to the trash, and an empty node starts in their
 * place, to be met, attached and filled by its shard's master.
 *
 * Only ever while another living node of the shard owns all its slots in every view. Then what is
 * given up is a copy, and an old one.
 */
import type { LayoutNode } from '../../model/layout.ts';
import type { NodeObservation } from '../../model/observation.ts';
import { nodePlanOf, stepKey, type Step } from '../../model/step.ts';
import { succeeded } from '../attempts.ts';
import { hasBuild } from '../builds.ts';
import { startStep } from '../nodes.ts';
import { hostOf, type LiveNode } from '../situation.ts';
import { blocking, mergeTurns, stepping, waiting, type Turn } from '../turn.ts';
import { hasMajority, isOrphanage, isOwnedElsewhere, type Fleet } from './fleet.ts';
import { tryChain } from './phases.ts';
import { explainOwner } from './shard-prospects.ts';

/**
 * Whether the node lost its nodes.conf and runs under a new id: nobody knows it, and it has keys,
 * or claims the slots of keys that it loaded (cluster.c, verifyClusterConfigWithData).
 */
export function isLostIdentity(fleet: Fleet, live: LiveNode): boolean {
  if (live.redis.role !== 'master') return false;
  const claims = (live.self?.slots.length ?? 0) > 0;
  if (fleet.strangers.has(live)) return live.redis.keys > 0 || claims;
  // Met already, and still a master without slots: its keys can be read by nobody.
  if (claims || live.redis.keys === 0 || isOrphanage(fleet, live)) return false;
  return isOwnedElsewhere(fleet, live.node);
}

/** What an empty node, its first snapshot and its log need at the least; a copy needs more. */
const FREE_BYTES_NEEDED = 64 * 1024 * 1024;

export function planAnew(fleet: Fleet, node: LayoutNode, seen: NodeObservation): Turn {
  if (!isOwnedElsewhere(fleet, node) || !hasMajority(fleet)) return explainOwner(fleet, node);
  if (!hasBuild(fleet, node.host)) return waiting(node.key, 'its host has no build yet');
  const { host, key } = node;
  const freeBytes = hostOf(fleet, host)?.facts?.diskFreeBytes ?? Infinity;
  if (freeBytes < FREE_BYTES_NEEDED) return refuseFullDisk(node, freeBytes);
  const plan = nodePlanOf(fleet.layout, node, fleet.release);
  // Without a marker there is no directory of ours that could be moved away.
  const hasDirectory = seen.process.marker !== undefined;
  const remove: Step = { kind: 'removeNode', host, node: key, purge: false };
  const steps: Step[] = [
    { kind: 'stopNode', host, node: key },
    ...(hasDirectory ? [remove] : []),
    { kind: 'prepareNode', host, plan },
  ];
  const turn = tryChain(fleet, steps, {
    what: `making ${key} anew`,
    subject: key,
    remedy: `Repair what the message names on ${host}, then repair again; old data is in its trash`,
  });
  // How often the old one failed to start says nothing of the new one.
  return turn.steps.length === 0 ? turn : mergeTurns([turn, stepping(startStep(node))]);
}

/** Whether this operation has moved the node's directory away before. */
export function wasMadeAnew(fleet: Fleet, { host, key: node }: LayoutNode): boolean {
  return succeeded(fleet.attempts, stepKey({ kind: 'removeNode', host, node, purge: false }));
}

/** Made anew on a full disk it would not come back, and what it has would be in the trash. */
function refuseFullDisk({ host, key }: LayoutNode, freeBytes: number): Turn {
  return blocking({
    rule: 'disk-full',
    subject: key,
    message: `Node ${key} cannot start, and is not made anew: the disk of ${host} is full.`,
    evidence: [`${freeBytes} bytes free`],
    remedy: `Make room on ${host} (old data may be in its trash folder), then repair again`,
  });
}
