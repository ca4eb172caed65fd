/** Slot migrations that the two ends have at work: the one that this task may go on with, and others in its way. */
import { listSlots, RedroverError, type MoveSlotsStep } from '@redrover/core';
import type { MoveNodes } from '../mover/move-nodes.ts';
import type { AtomicProtocol } from './atomic-protocol.ts';
import type { ServerTask } from './server-task.ts';

export interface RunningTasksOptions {
  readonly protocol: AtomicProtocol;
  readonly nodes: MoveNodes;
  readonly task: { readonly step: MoveSlotsStep };
}

/**
 * A migration of the same pair with no other slots than this task's: begun by the last agent, or just
 * before a connection was lost.
 *
 * @throws RedroverError `unavailable` while another one is in the way.
 */
export async function findOwnTask(
  { protocol, nodes, task }: RunningTasksOptions,
  slots: readonly number[],
): Promise<ServerTask | undefined> {
  const [source, target] = await Promise.all(
    [nodes.source, nodes.target].map(async (node) => protocol.list(await node.link())),
  );
  const atSource = (source ?? []).filter(isRunning);
  const atTarget = (target ?? []).filter(isRunning);
  const [own] = ownTasks([...atSource, ...atTarget], task.step, slots);
  if (own !== undefined) return own;
  const other = findObstacle({ protocol, atSource, atTarget }, new Set(slots));
  if (other === undefined) return undefined;
  throw new RedroverError(
    'unavailable',
    `another slot migration is at work between these nodes (${other.id}, ${other.phase}); wait ` +
      'until it has ended, or cancel it',
    { context: { task: other.id } },
  );
}

/** Those in that state for the pair of the step, with no other slots than the given ones. */
export function ownTasks(
  tasks: readonly ServerTask[],
  { source, target }: MoveSlotsStep,
  slots: readonly number[],
  state: ServerTask['state'] = 'running',
): ServerTask[] {
  const wanted = new Set(slots);
  return tasks.filter(
    (running) =>
      running.state === state &&
      // Not every release names the node that is asked.
      ['', source.nodeId].includes(running.sourceId) &&
      ['', target.nodeId].includes(running.targetId) &&
      listSlots(running.slots).every((slot) => wanted.has(slot)),
  );
}

function isRunning({ state }: ServerTask): boolean {
  return state === 'running';
}

interface Running {
  readonly protocol: AtomicProtocol;
  readonly atSource: readonly ServerTask[];
  readonly atTarget: readonly ServerTask[];
}

/** Redis has one task a node at a time; Valkey as many as there are, in one direction. */
function findObstacle(
  { protocol, atSource, atTarget }: Running,
  wanted: ReadonlySet<number>,
): ServerTask | undefined {
  if (protocol.engine === 'redis-atomic') return atSource[0] ?? atTarget[0];
  const crossing =
    atSource.find(({ direction }) => direction === 'in') ??
    atTarget.find(({ direction }) => direction === 'out');
  const overlaps = ({ slots }: ServerTask) => listSlots(slots).some((slot) => wanted.has(slot));
  return crossing ?? [...atSource, ...atTarget].find(overlaps);
}
