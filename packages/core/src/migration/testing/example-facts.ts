/** Facts of a slot to start tests from: owned by the source, closed, everybody agrees. Tests change one thing. */
import {
  untouched,
  type EndReading,
  type OpenFlag,
  type ReplicaFacts,
  type SlotFacts,
  type WitnessFacts,
} from '../slot-facts.ts';

export const SOURCE = 'h1:6379';
export const TARGET = 'h2:6379';
export const NODE_TIMEOUT_MS = 5000;

/** How an open slot names the other end. */
export const toTarget: OpenFlag = { nodeId: TARGET, standing: 'end' };
export const fromSource: OpenFlag = { nodeId: SOURCE, standing: 'end' };

interface Change {
  readonly source?: Partial<EndReading>;
  readonly target?: Partial<EndReading>;
  /** Undefined in a list: that one does not answer. */
  readonly witnesses?: readonly (string | undefined)[];
  readonly sourceReplica?: Partial<ReplicaFacts>;
  readonly targetReplica?: Partial<ReplicaFacts>;
  /** Who is the owner in the view of both replicas. */
  readonly replicasSee?: string;
  readonly lagBytes?: number;
  readonly task?: Partial<SlotFacts['task']>;
  readonly facts?: Partial<SlotFacts>;
}

export function exampleFacts(change: Change = {}): SlotFacts {
  const seen = { flags: ['master'], configEpoch: 1 };
  const owner = change.replicasSee ?? SOURCE;
  const replica = (node: string, lagBytes: number): ReplicaFacts => ({
    node,
    nodeId: node,
    failed: false,
    said: { nodeId: node, role: 'replica', owner, seesSource: seen, lagBytes },
  });
  return {
    slot: 7,
    intent: 'move',
    source: endOf(SOURCE, 1, change.source),
    target: endOf(TARGET, 2, change.target),
    targetSeesSource: seen,
    witnesses: (change.witnesses ?? [SOURCE, SOURCE]).map((named, index) =>
      witness(`h${index + 3}:6379`, named),
    ),
    sourceReplicas: [{ ...replica('h2:6380', 0), ...change.sourceReplica }],
    targetReplicas: [{ ...replica('h1:6380', change.lagBytes ?? 0), ...change.targetReplica }],
    task: { ...untouched(1_000_000), ...change.task },
    nodeTimeoutMs: NODE_TIMEOUT_MS,
    ageMs: 5,
    unchangedForMs: 0,
    ...change.facts,
  };
}

function endOf(node: string, configEpoch: number, change: Partial<EndReading> = {}) {
  const said: EndReading = {
    nodeId: node,
    role: 'master',
    loading: false,
    stateOk: true,
    configEpoch,
    owner: SOURCE,
    migratingTo: undefined,
    importingFrom: undefined,
    keys: 0,
    otherRole: undefined,
    ...change,
  };
  return { node, nodeId: node, said };
}

function witness(node: string, owner: string | undefined): WitnessFacts {
  if (owner === undefined) return { node, nodeId: node, said: undefined };
  const seesSource = { flags: ['master'], configEpoch: 1 };
  return { node, nodeId: node, said: { nodeId: node, role: 'master', owner, seesSource } };
}
