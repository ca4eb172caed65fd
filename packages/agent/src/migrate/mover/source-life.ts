/** Which life of its dataset a node is in: what decides whose copy of a key counts (`judgeBusyKey`). */
import { readInfoFields, type SourceLife } from '@redrover/core';
import type { Link } from '../link/link.ts';
import { encode } from '../link/resp-command.ts';
import { replyText } from '../link/resp-parser.ts';

const COMMANDS = [encode('INFO', 'server'), encode('INFO', 'replication')];

/** Undefined for a server that does not say. @throws RedroverError when the link breaks. */
export async function readSourceLife(link: Link): Promise<SourceLife | undefined> {
  const replies = await link.exchange({ commands: COMMANDS, what: 'asking who answers' });
  const [server, replication] = replies.map((reply) => readInfoFields(replyText(reply)));
  const runId = server?.get('run_id') ?? '';
  const replicationId = replication?.get('master_replid') ?? '';
  return runId === '' || replicationId === '' ? undefined : { runId, replicationId };
}
