/** Valkey 9.0 and later: the source exports (Valkey command pages CLUSTER MIGRATESLOTS, GETSLOTMIGRATIONS). */
import { formatRanges, RedroverError } from '@redrover/core';
import { encode } from '../link/resp-command.ts';
import type { AtomicProtocol } from './atomic-protocol.ts';
import { elementsOf, readFields, readRanges, type ServerTask } from './server-task.ts';

const LIST = encode('CLUSTER', 'GETSLOTMIGRATIONS');

export const valkeyProtocol: AtomicProtocol = {
  engine: 'valkey-atomic',
  drivingEnd: 'source',
  // The source keeps what is written while its snapshot is on its way.
  buffersAtSource: true,
  cancelOrder: ['source'],
  retryingEnd: undefined,
  replacesFunctions: false,
  begin: async (link, { target }, slots) => {
    const ranges = slots.flatMap(({ start, end }) => [start, end]);
    const command = encode(
      'CLUSTER',
      'MIGRATESLOTS',
      'SLOTSRANGE',
      ...ranges,
      'NODE',
      target.nodeId,
    );
    const before = new Set((await valkeyProtocol.list(link)).map(({ id }) => id));
    await link.call('beginning a slot migration', command);
    const wanted = formatRanges(slots);
    // Also one that has ended by now.
    const begun = (await valkeyProtocol.list(link)).find(
      (task) =>
        !before.has(task.id) && task.direction === 'out' && formatRanges(task.slots) === wanted,
    );
    if (begun !== undefined) return begun.id;
    throw new RedroverError(
      'internal',
      `${link.key} does not list the migration that it has begun`,
    );
  },
  list: async (link) => {
    const reply = await link.call('reading slot migrations', LIST);
    return elementsOf(reply).map((element) => taskOf(readFields(element)));
  },
  // There is no way to name one: other exports of the node are begun anew by those who drive them.
  cancel: async (link) => {
    try {
      await link.call('cancelling', encode('CLUSTER', 'CANCELSLOTMIGRATIONS'));
      return true;
    } catch (thrown) {
      // There was none left.
      if (!(thrown instanceof RedroverError) || thrown.context['reply'] !== 'ERR') throw thrown;
      return false;
    }
  },
  // Keys go with their slots.
  isTrimming: async () => false,
};

function taskOf(fields: ReadonlyMap<string, string>): ServerTask {
  const phase = fields.get('state') ?? '';
  return {
    id: fields.get('name') ?? '',
    direction: fields.get('operation') === 'EXPORT' ? 'out' : 'in',
    sourceId: fields.get('source_node') ?? '',
    targetId: fields.get('target_node') ?? '',
    slots: readRanges(fields.get('slot_ranges') ?? ''),
    state: stateOf(phase),
    phase,
    message: fields.get('message') ?? '',
    retries: 0,
    pausedMs: 0,
  };
}

function stateOf(phase: string): ServerTask['state'] {
  if (phase === 'success') return 'completed';
  if (phase === 'failed') return 'failed';
  return phase.startsWith('cancel') ? 'cancelled' : 'running';
}
