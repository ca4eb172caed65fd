/** Redis 8.4 and later: the target imports (Redis command page CLUSTER MIGRATION). */
import { replyText } from '../link/resp-parser.ts';
import { readInfoFields } from '@redrover/core';
import { encode } from '../link/resp-command.ts';
import type { AtomicProtocol } from './atomic-protocol.ts';
import { elementsOf, readFields, readRanges, type ServerTask } from './server-task.ts';

export const redisProtocol: AtomicProtocol = {
  engine: 'redis-atomic',
  drivingEnd: 'target',
  // The target takes what is written meanwhile at once, and keeps it.
  buffersAtSource: false,
  // Seen with 8.6.3: the snapshot holds them.
  replacesFunctions: true,
  // The other way round the target would begin again with the next second.
  cancelOrder: ['target', 'source'],
  retryingEnd: 'target',
  begin: async (link, _step, slots) => {
    const ranges = slots.flatMap(({ start, end }) => [start, end]);
    const reply = await link.call(
      'beginning a slot migration',
      encode('CLUSTER', 'MIGRATION', 'IMPORT', ...ranges),
    );
    return replyText(reply);
  },
  list: async (link) => {
    const command = encode('CLUSTER', 'MIGRATION', 'STATUS', 'ALL');
    const reply = await link.call('reading slot migrations', command);
    return elementsOf(reply).map((element) => taskOf(readFields(element)));
  },
  cancel: async (link, id) => {
    // Answers how many it has cancelled: 0 for one that has ended.
    const command = encode('CLUSTER', 'MIGRATION', 'CANCEL', 'ID', id);
    return Number(await link.call('cancelling', command)) > 0;
  },
  isTrimming: async (link) => {
    const reply = await link.call('reading cluster info', encode('CLUSTER', 'INFO'));
    const running = readInfoFields(replyText(reply)).get(
      'cluster_slot_migration_active_trim_running',
    );
    return running !== undefined && running !== '0';
  },
};

function taskOf(fields: ReadonlyMap<string, string>): ServerTask {
  const phase = fields.get('state') ?? '';
  return {
    id: fields.get('id') ?? '',
    direction: fields.get('operation') === 'migrate' ? 'out' : 'in',
    sourceId: fields.get('source') ?? '',
    targetId: fields.get('dest') ?? '',
    slots: readRanges(fields.get('slots') ?? ''),
    state: stateOf(phase),
    phase,
    message: fields.get('last_error') ?? '',
    retries: Number(fields.get('retries')) || 0,
    pausedMs: Number(fields.get('write_pause_ms')) || 0,
  };
}

function stateOf(phase: string): ServerTask['state'] {
  if (phase === 'completed' || phase === 'failed') return phase;
  return phase.startsWith('cancel') ? 'cancelled' : 'running';
}
