/** The checks between the last key and NODE on the target. Each holds back; only the last rule lets go. */
import type { SlotFacts, WitnessFacts } from '../slot-facts.ts';
import { waitFor, type SlotPicture, type SlotRule } from './slot-rule.ts';

/**
 * A replica stands for election 500 ms after its master was marked as failed at the earliest (cluster.c,
 * clusterHandleSlaveFailover), and it is marked after the node timeout. Facts that are younger than both saw it coming.
 */
const FRESH_MS = 400;

/** How old facts may be when a slot is finalised on their word, in milliseconds. */
export function freshnessMs(nodeTimeoutMs: number): number {
  return Math.min(FRESH_MS, nodeTimeoutMs / 2);
}

export const FINALISE_RULES: readonly SlotRule[] = [
  {
    name: 'finalise-with-one-role',
    reason:
      'A source that may raise its own epoch claims the slot with a higher one; the target yields and deletes it ' +
      '(invariant 4).',
    decide: ({ facts, source, target, sourceName, targetName }) => {
      if (source.otherRole !== undefined)
        return waitFor(`source ${sourceName} ${source.otherRole}`);
      if (target.otherRole !== undefined && !wasLeftOpen(facts))
        return waitFor(`target ${targetName} ${target.otherRole}`);
      return undefined;
    },
  },
  {
    name: 'target-sees-source-well',
    reason:
      "A target's slot table is frozen for slots that it imports: it names the source also after its replica was " +
      'promoted and took writes. Its flags for the source are not frozen (invariant 6).',
    decide: ({ facts, sourceName, targetName }) => {
      const seen = facts.targetSeesSource;
      if (seen === undefined) return waitFor(`${targetName} to know ${sourceName}`);
      const flag = seen.flags.find(isAlarming);
      return flag === undefined
        ? undefined
        : waitFor(`${targetName} sees source ${sourceName} as ${flag}`);
    },
  },
  {
    name: 'witnesses-name-source',
    reason:
      "Neither end can know that the source's replica was promoted on the other side of a partition; the masters " +
      'that elected it do (invariant 6).',
    decide: (picture) => findDissent(picture) ?? findTooFew(picture),
  },
  {
    name: 'few-witnesses',
    reason:
      "With fewer than two other masters, the source's replicas have to say that they still follow it.",
    decide: ({ facts, source, sourceName }) => {
      if (facts.witnesses.length >= MIN_WITNESSES) return undefined;
      const silent = facts.sourceReplicas.find(({ failed, said }) => {
        if (failed) return false;
        return (
          said === undefined || (source.owner === source.nodeId && said.owner !== source.nodeId)
        );
      });
      return silent && waitFor(`${silent.node} to say that it follows source ${sourceName}`);
    },
  },
  {
    name: 'target-knows-source-epoch',
    reason:
      'NODE raises the target above every epoch that it knows. One of the source that it has not heard of yet stays ' +
      'above it, and takes the slot back.',
    decide: ({ facts, source, sourceName, targetName }) => {
      const known = facts.targetSeesSource?.configEpoch ?? 0;
      return known < source.configEpoch
        ? waitFor(`${targetName} to hear of epoch ${source.configEpoch} of ${sourceName}`)
        : undefined;
    },
  },
  {
    name: 'target-replicas-have-all',
    reason:
      'What the target owns and its replicas lack is lost when it dies; the source has it no more.',
    decide: ({ facts, targetName }) => {
      const living = facts.targetReplicas.filter(({ failed }) => !failed);
      if (facts.targetReplicas.length > 0 && living.length === 0) {
        return { kind: 'awaitTargetReplicas', reason: `a living replica of ${targetName}` };
      }
      const behind = living.filter(({ said }) => said === undefined || said.lagBytes > 0);
      if (behind.length === 0) return undefined;
      const names = behind.map(({ node }) => node).join(', ');
      return { kind: 'awaitTargetReplicas', reason: `replica ${names} to have all keys` };
    },
  },
  {
    name: 'facts-are-fresh',
    reason:
      'What was true half a node timeout ago proves nothing: a replica may have been promoted since.',
    decide: ({ facts }) =>
      facts.ageMs > freshnessMs(facts.nodeTimeoutMs)
        ? waitFor(`facts of slot ${facts.slot} are ${facts.ageMs} ms old: read them again`)
        : undefined,
  },
  {
    name: 'finalise-target',
    reason:
      'The source is empty and MIGRATING, and everybody agrees that it is the owner: the target first, so that ' +
      'somebody owns the slot whoever dies now (invariant 5).',
    decide: () => ({ kind: 'finaliseTarget' }),
  },
];

/** As long as `redis-cli` may spend on one MIGRATE. */
const ABANDONED_MS = 60_000;

/**
 * A slot that was half way before this task, or has not got on since: what the target gives away was left half way as
 * well, and waits until this one is closed.
 */
function wasLeftOpen({ task, unchangedForMs }: SlotFacts): boolean {
  return !task.touched || unchangedForMs >= ABANDONED_MS;
}

/** What the protocol notes ask for; see `witnessesNeeded` for more. */
const MIN_WITNESSES = 2;

function findDissent({ facts, source, target, sourceName }: SlotPicture) {
  for (const { node, said } of facts.witnesses) {
    if (said === undefined) continue;
    // A target that lost power after NODE has forgotten; its witnesses have not, and nobody else can have the slot.
    const isNamed = said.owner === source.nodeId || isOfTarget(facts, target.nodeId, said.owner);
    if (!isNamed)
      return waitFor(`${node} does not see ${sourceName} as owner of slot ${facts.slot}`);
    const flag = said.seesSource === undefined ? 'unknown' : said.seesSource.flags.find(isAlarming);
    if (flag !== undefined) return waitFor(`${node} sees source ${sourceName} as ${flag}`);
  }
  return undefined;
}

function findTooFew({ facts }: SlotPicture) {
  const answering = facts.witnesses.filter(({ said }) => said?.role === 'master').length;
  const needed = witnessesNeeded(facts.witnesses);
  if (answering >= needed) return undefined;
  const changed = facts.witnesses.some(({ said }) => said?.role === 'replica');
  const reason = `${answering} of ${needed} other masters that have to confirm the owner answer`;
  return { kind: 'wait', reason, replan: changed } as const;
}

/**
 * So many that no majority of masters can have elected a replica of the source without one of them, whether the target
 * has a vote already or not; two, where there are as many.
 */
function witnessesNeeded(witnesses: readonly WitnessFacts[]): number {
  const majority = Math.floor((witnesses.length + 2) / 2);
  return Math.min(witnesses.length, Math.max(MIN_WITNESSES, majority));
}

export function isOfTarget(facts: SlotFacts, targetId: string, id: string | undefined): boolean {
  return id === targetId || facts.targetReplicas.some(({ nodeId }) => nodeId === id);
}

/** `fail?` is a doubt of one node alone: enough to hold back, as it goes away by itself. */
function isAlarming(flag: string): boolean {
  return flag === 'slave' || flag === 'fail' || flag === 'fail?' || flag === 'noaddr';
}
