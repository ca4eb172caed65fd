/** Slots of which the nodes do not agree who owns them: waited for, then left to a person with all that is known. */
import type { QuarantinedSlot } from '../../model/migration.ts';
import type { OpenFlag, SlotFacts } from '../slot-facts.ts';
import { waitFor, type SlotAnswer } from './slot-rule.ts';

/**
 * In units of the node timeout: pings reach every node within half of it, and a failover takes one and at the most two
 * seconds more. What has not moved after three will not move by itself.
 */
const SETTLING_TIMEOUTS = 3;

/** Whether all this has been so for longer than gossip and failovers take. */
export function isSettled({ unchangedForMs, nodeTimeoutMs }: SlotFacts): boolean {
  return unchangedForMs >= SETTLING_TIMEOUTS * nodeTimeoutMs;
}

/** A slot stays with its quarantine until a person has decided. */
export function quarantine(facts: SlotFacts, found: Omit<QuarantinedSlot, 'slot'>): SlotAnswer {
  return { kind: 'quarantine', quarantined: { slot: facts.slot, ...found } };
}

/** Gossip may settle it; if it does not, a person has to. */
export function disputed(facts: SlotFacts, what: string): SlotAnswer {
  if (!isSettled(facts)) {
    return waitFor(`nodes do not agree on slot ${facts.slot}: ${what}`);
  }
  return quarantine(facts, {
    rule: 'slot-owner-disputed',
    message: `The nodes do not agree who owns slot ${facts.slot}: ${what}.`,
    evidence: describeViews(facts),
    remedy:
      'Compare the keys of the slot on the nodes named here (CLUSTER GETKEYSINSLOT). Decide which node ' +
      'shall own it, make that so with CLUSTER SETSLOT … NODE there first, then run the operation again.',
  });
}

/** Every node's view of the slot, and its key count where it was counted. */
export function describeViews(facts: SlotFacts): string[] {
  const names = namesOf(facts);
  const name = (id: string | undefined) =>
    id === undefined ? 'nobody' : (names.get(id) ?? `node ${id.slice(0, 8)}`);
  const ends = [facts.source, facts.target].map(({ node, said }) => {
    if (said === undefined) return `${node} does not answer`;
    const flags = [
      ...flagText('migrating to', said.migratingTo, name),
      ...flagText('importing from', said.importingFrom, name),
    ];
    const open = flags.length === 0 ? '' : `, ${flags.join(', ')}`;
    return `${node} (${said.role}) says ${name(said.owner)} owns it, ${said.keys} keys${open}`;
  });
  const others = [...facts.witnesses, ...facts.sourceReplicas, ...facts.targetReplicas];
  const views = others.map(({ node, said }) =>
    said === undefined
      ? `${node} does not answer`
      : `${node} (${said.role}) says ${name(said.owner)} owns it`,
  );
  return [...ends, ...views];
}

function flagText(
  what: string,
  flag: OpenFlag | undefined,
  name: (id: string) => string,
): string[] {
  return flag === undefined ? [] : [`${what} ${name(flag.nodeId)}`];
}

function namesOf(facts: SlotFacts): Map<string, string> {
  const all = [
    facts.source,
    facts.target,
    ...facts.witnesses,
    ...facts.sourceReplicas,
    ...facts.targetReplicas,
  ];
  return new Map(all.map(({ nodeId, node }) => [nodeId, node]));
}
