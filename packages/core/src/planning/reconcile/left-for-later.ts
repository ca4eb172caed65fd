/** What a repair cannot bring back now, for the people who approve its plan. */
import type { Finding } from '../../model/finding.ts';
import type { LayoutNode } from '../../model/layout.ts';
import { hostOf, isOnline, layoutHosts, type PlanInput } from '../situation.ts';
import { findMissingCopies } from './drains.ts';
import { assessFleet, isFormer, shallRun, type Fleet } from './fleet.ts';

/** Empty for anything but a repair: a change waits for its hosts, or is blocked by them. */
export function findLeftForLater(given: Omit<PlanInput, 'history'>): Finding[] {
  if (given.kind !== 'repair') return [];
  const fleet = assessFleet({ ...given, history: [] });
  return [
    ...layoutHosts(fleet.layout).flatMap((host) => describeSilentHost(fleet, host)),
    ...fleet.former.flatMap((node) => describeFormer(fleet, node)),
    ...fleet.layout.nodes.flatMap((node) => describeDrained(fleet, node)),
  ];
}

/** A node of a drained host that is not stopped: it is the only copy beside the master. */
function describeDrained(fleet: Fleet, node: LayoutNode): Finding[] {
  if (fleet.roles.get(node.key) !== 'stopped' || !fleet.liveByKey.has(node.key)) return [];
  const missing = findMissingCopies(fleet, node);
  if (missing.length === 0) return [];
  return [
    {
      rule: 'drained-node-kept',
      severity: 'warning',
      subject: node.key,
      message: `Node ${node.key} goes on running, though ${node.host} is drained: no other copy of ${node.shard} runs.`,
      evidence: missing.map((other) => `${other.key} does not run`),
      remedy: `Bring ${missing.map(({ key }) => key).join(' or ')} back, then repair again`,
    },
  ];
}

function describeSilentHost(fleet: Fleet, name: string): Finding[] {
  if (isOnline(fleet, name)) return [];
  const nodes = fleet.layout.nodes.filter((node) => node.host === name && shallRun(fleet, node));
  if (nodes.length === 0) return [];
  const status = hostOf(fleet, name)?.status ?? 'not known to the controller';
  return [
    {
      rule: 'host-left-out',
      severity: 'warning',
      subject: name,
      message: `Host ${name} is ${status}: its ${nodes.length} nodes are left as they are.`,
      evidence: nodes.map((node) => `node ${node.key} of shard ${node.shard}`),
      remedy: `Bring ${name} back and repair again, or redrover host replace ${name} --with NEW`,
    },
  ];
}

/** A node of an earlier layout that cannot be stopped yet: those that replace it are away. */
function describeFormer(fleet: Fleet, node: LayoutNode): Finding[] {
  if (!isFormer(fleet, node) || !fleet.liveByKey.has(node.key)) return [];
  const away = fleet.layout.nodes.filter(
    (other) => other.shard === node.shard && shallRun(fleet, other) && !isOnline(fleet, other.host),
  );
  if (away.length === 0) return [];
  return [
    {
      rule: 'former-node-kept',
      severity: 'warning',
      subject: node.key,
      message: `Node ${node.key} of an earlier layout goes on running as a copy of ${node.shard}.`,
      evidence: away.map((other) => `${other.key} is on host ${other.host}, which is not online`),
      remedy: `Bring ${[...new Set(away.map(({ host }) => host))].join(', ')} back, then repair again`,
    },
  ];
}
