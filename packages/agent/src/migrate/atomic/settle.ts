/**
 * After the slots have changed hands: waits until everybody sees it, tells those that lag, and sees the
 * source let go of the keys. Nothing here can undo the move, so what is missing in the end is a note.
 */
import { describeSlots } from './describe-slots.ts';
import { encode } from '../link/resp-command.ts';
import type { MoveControls } from '../move-driver.ts';
import type { MoveNodes } from '../mover/move-nodes.ts';
import type { AtomicProtocol } from './atomic-protocol.ts';
import { onLink } from './follow-task.ts';
import { findLaggards, type Laggard } from './ownership.ts';
import { pause, pollMs } from './pace.ts';

export interface SettleOptions {
  readonly protocol: AtomicProtocol;
  readonly nodes: MoveNodes;
  readonly controls: Pick<MoveControls, 'detach'>;
  readonly targetId: string;
  readonly slots: readonly number[];
  readonly nodeTimeoutMs: number;
}

/** The target tells everybody by itself; whoever has not heard of it by then has missed it. */
const TELL_AFTER_MS = 500;
/** Beyond the time in which gossip reaches everybody. */
const MARGIN_MS = 2_000;
/** Keys are removed at some hundred thousands a second. */
const TRIM_TIMEOUT_MS = 120_000;
const COUNTS_AT_ONCE = 256;

/** Answers notes for people. */
export async function settle(options: SettleOptions): Promise<readonly string[]> {
  return [...(await converge(options)), ...(await awaitEmptySource(options))];
}

async function converge(options: SettleOptions): Promise<readonly string[]> {
  const { nodes, targetId, slots, nodeTimeoutMs, controls } = options;
  const since = performance.now();
  let isTold = false;
  for (;;) {
    const laggards = await findLaggards(nodes, targetId, slots);
    if (laggards.length === 0) return [];
    const elapsedMs = performance.now() - since;
    // Silent ones have nothing to say; what they will see is what the others tell them.
    const isHopeless = laggards.every((laggard) => laggard.slots === undefined);
    if (elapsedMs > nodeTimeoutMs + MARGIN_MS || (isHopeless && elapsedMs > TELL_AFTER_MS)) {
      return laggards.map(describeLaggard);
    }
    if (elapsedMs > TELL_AFTER_MS && !isTold) {
      isTold = true;
      await Promise.all(laggards.map((laggard) => tell(laggard, targetId)));
    }
    await pause(pollMs(elapsedMs), { stop: controls.detach, detach: controls.detach });
  }
}

/** Replicas learn from their master and take no such order (Redis command page CLUSTER SETSLOT). */
async function tell({ node, slots, isMaster }: Laggard, targetId: string): Promise<void> {
  if (slots === undefined || !isMaster) return;
  const commands = slots.map((slot) => encode('CLUSTER', 'SETSLOT', slot, 'NODE', targetId));
  await onLink(node, (link) => link.exchange({ commands, what: 'telling the new owner' }));
}

function describeLaggard({ node, slots }: Laggard): string {
  const { node: key } = node.end;
  if (slots === undefined) return `${key} could not be asked whether it sees the new owner`;
  return `${key} does not see yet that ${describeSlots(slots)} changed hands`;
}

async function awaitEmptySource(options: SettleOptions): Promise<readonly string[]> {
  const { nodes, protocol, slots, controls } = options;
  const since = performance.now();
  for (;;) {
    const elapsedMs = performance.now() - since;
    const isTrimming = await onLink(nodes.source, (link) => protocol.isTrimming(link));
    const left = isTrimming === false ? await countLeft(nodes, slots) : undefined;
    if (left === 0) return [];
    if (elapsedMs > TRIM_TIMEOUT_MS || isTrimming === undefined) {
      const { node } = nodes.source.end;
      return [`${node} could not be seen to have removed the keys of the slots that it gave away`];
    }
    await pause(pollMs(elapsedMs), { stop: controls.detach, detach: controls.detach });
  }
}

/** Keys that the source still has in slots which are no longer its own. */
async function countLeft(nodes: MoveNodes, slots: readonly number[]): Promise<number | undefined> {
  let left = 0;
  for (let start = 0; start < slots.length; start += COUNTS_AT_ONCE) {
    const commands = slots
      .slice(start, start + COUNTS_AT_ONCE)
      .map((slot) => encode('CLUSTER', 'COUNTKEYSINSLOT', slot));
    const counts = await onLink(nodes.source, (link) =>
      link.exchange({ commands, what: 'counting keys' }),
    );
    if (counts === undefined) return undefined;
    for (const count of counts) left += Number(count) || 0;
  }
  return left;
}
