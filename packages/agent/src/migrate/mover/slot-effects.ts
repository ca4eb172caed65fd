/**
 * Executes what the slot machine answered, for a whole window at once: all commands of one kind go to
 * their node in one write. It adds nothing and leaves nothing out; a refused command is a fact for the
 * next turn.
 */
import type { SlotAction, SlotEffect, SlotFacts } from '@redrover/core';
import type { Link } from '../link/link.ts';
import { encode, type Argument } from '../link/resp-command.ts';
import { ReplyFault } from '../link/resp-parser.ts';
import type { MoveNode, MoveNodes } from './move-nodes.ts';
import type { SlotMemory } from './slot-memory.ts';

export interface PlannedEffect {
  readonly memory: SlotMemory;
  readonly action: Extract<SlotAction, { readonly kind: SetSlot }>;
  /** What it was decided on. */
  readonly facts: SlotFacts;
}

export interface Executed {
  /** The last one, for people. */
  readonly refusal: string | undefined;
  /** Those that their nodes have answered with OK. */
  readonly done: readonly PlannedEffect[];
}

/** What is sent by `CLUSTER SETSLOT`, in the order in which a turn sends it: what ages first, first. */
type SetSlot = Exclude<SlotEffect['kind'], 'moveKeys'>;

const ORDER: readonly SetSlot[] = [
  'finaliseTarget',
  'saveTargetConfig',
  'finaliseSource',
  'tellMasters',
  'closeSource',
  'closeTarget',
  'setMigrating',
  'setImporting',
  'nameSource',
];

/** Valkey 8 answers when its replicas have it, or after 2 s. */
const TIMEOUT_MS = 8_000;
/** A target that is busy for less than this is not given up. */
const FINALISE_TIMEOUT_MIN_MS = 200;

/** @throws RedroverError when a node cannot be reached, or does not answer. */
export async function executeEffects(
  planned: readonly PlannedEffect[],
  nodes: MoveNodes,
  nodeTimeoutMs: number,
): Promise<Executed> {
  let refusal: string | undefined;
  const done: PlannedEffect[] = [];
  for (const kind of ORDER) {
    const wanted = planned.filter(({ action }) => action.kind === kind);
    if (wanted.length === 0) continue;
    const answered = new Set<SlotMemory>();
    const sent = { nodes, nodeTimeoutMs, onDone: (memory: SlotMemory) => answered.add(memory) };
    refusal = (await executeOne(kind, wanted, sent)) ?? refusal;
    done.push(...wanted.filter(({ memory }) => answered.has(memory)));
  }
  return { refusal, done };
}

interface Sent {
  readonly nodes: MoveNodes;
  readonly nodeTimeoutMs: number;
  readonly onDone: (memory: SlotMemory) => void;
}

async function executeOne(
  kind: SetSlot,
  planned: readonly PlannedEffect[],
  { nodes, nodeTimeoutMs, onDone }: Sent,
): Promise<string | undefined> {
  const { source, target } = nodes;
  const memories = planned.map(({ memory }) => memory);
  const touch = (memory: SlotMemory): void => {
    memory.touched = true;
    onDone(memory);
  };
  switch (kind) {
    case 'setImporting':
      return setSlots(target, memories, ['IMPORTING', source.end.nodeId], touch);
    case 'setMigrating':
      return setSlots(source, memories, ['MIGRATING', target.end.nodeId], touch);
    case 'nameSource':
      return setSlots(target, memories, ['NODE', source.end.nodeId], touch);
    case 'finaliseTarget':
      return finaliseTarget(target, memories, { nodeTimeoutMs, onDone: touch });
    case 'saveTargetConfig':
      return saveConfig(target, memories, onDone);
    case 'finaliseSource':
      return setSlots(source, memories, ['NODE', target.end.nodeId], (memory) => {
        memory.givenUpTick ??= performance.now();
        onDone(memory);
      });
    case 'closeTarget':
      return setSlots(target, memories, ['STABLE'], touch);
    case 'closeSource':
      return setSlots(source, memories, ['STABLE'], touch);
    case 'tellMasters':
      return tellMasters(planned, nodes);
  }
}

/**
 * The facts that allow it are of this moment: over a link that is made anew, or one that waits for
 * long, it would reach the target after a failover of the source, and take the slot from whoever
 * was elected.
 */
async function finaliseTarget(
  target: MoveNode,
  memories: readonly SlotMemory[],
  { nodeTimeoutMs, onDone }: Pick<Sent, 'nodeTimeoutMs' | 'onDone'>,
): Promise<string | undefined> {
  const link = target.openLinkNow;
  if (link === undefined) return `the link to ${target.end.node} broke`;
  const timeoutMs = Math.max(FINALISE_TIMEOUT_MIN_MS, nodeTimeoutMs / 2);
  return setSlotsOver(link, memories, { args: ['NODE', target.end.nodeId], onDone, timeoutMs });
}

async function setSlots(
  node: MoveNode,
  memories: readonly SlotMemory[],
  args: readonly Argument[],
  onDone: (memory: SlotMemory) => void,
): Promise<string | undefined> {
  return setSlotsOver(await node.link(), memories, { args, onDone, timeoutMs: TIMEOUT_MS });
}

async function setSlotsOver(
  link: Link,
  memories: readonly SlotMemory[],
  sent: {
    readonly args: readonly Argument[];
    readonly onDone: (memory: SlotMemory) => void;
    readonly timeoutMs: number;
  },
): Promise<string | undefined> {
  const { args, onDone, timeoutMs } = sent;
  const commands = memories.map(({ slot }) => encode('CLUSTER', 'SETSLOT', slot, ...args));
  const what = `CLUSTER SETSLOT ${String(args[0])}`;
  const replies = await link.exchange({ commands, what, timeoutMs });
  let refusal: string | undefined;
  for (const [index, memory] of memories.entries()) {
    const reply = replies[index];
    if (reply instanceof ReplyFault) {
      refusal = `${what} on ${link.key}: ${reply.message}`;
    } else {
      onDone(memory);
    }
  }
  return refusal;
}

/** One write of nodes.conf has them all: they were seen to be the target's before. */
async function saveConfig(
  target: MoveNode,
  memories: readonly SlotMemory[],
  onDone: (memory: SlotMemory) => void,
): Promise<string | undefined> {
  const link = await target.link();
  const what = 'CLUSTER SAVECONFIG';
  const commands = [encode('CLUSTER', 'SAVECONFIG')];
  const [reply] = await link.exchange({ commands, what, timeoutMs: TIMEOUT_MS });
  if (reply instanceof ReplyFault) return `${what} on ${link.key}: ${reply.message}`;
  for (const memory of memories) {
    memory.targetConfigSaved = true;
    onDone(memory);
  }
  return undefined;
}

async function tellMasters(
  planned: readonly PlannedEffect[],
  nodes: MoveNodes,
): Promise<string | undefined> {
  const told = new Map<MoveNode, SlotMemory[]>();
  for (const { memory, action } of planned) {
    if (action.kind !== 'tellMasters') continue;
    for (const id of action.nodeIds) {
      const node = nodes.find(id);
      if (node !== undefined) told.set(node, [...(told.get(node) ?? []), memory]);
    }
  }
  const refusals = await Promise.all(
    [...told].map(([node, memories]) =>
      setSlots(node, memories, ['NODE', nodes.target.end.nodeId], () => {}),
    ),
  );
  return refusals.find((refusal) => refusal !== undefined);
}
