/**
 * Keys that both ends hold: left by a MIGRATE that nobody saw the end of, or by a promotion that lost
 * MIGRATING. Equal ones are sent again with REPLACE; of the first that differs the two values are
 * described, and neither is touched.
 */
import type { KeyConflict } from '@redrover/core';
import { showKeyName } from '../../survey/key-name.ts';
import type { Link } from '../link/link.ts';
import { decodeList, encode, encodeList } from '../link/resp-command.ts';
import { replyText, type RawList, type Reply } from '../link/resp-parser.ts';
import type { MoveNode } from './move-nodes.ts';
import type { DoubtfulKeys } from './slot-memory.ts';
import { readSourceLife } from './source-life.ts';

export interface BusyKeys {
  readonly source: Link;
  readonly target: MoveNode;
  /** Those that were sent together. */
  readonly keys: RawList;
}

export interface SettledKeys {
  /** They may be sent with REPLACE. */
  readonly equal: DoubtfulKeys | undefined;
  readonly conflict: KeyConflict | undefined;
}

/** A value at a time: a batch holds large ones too, and both copies are held here. */
const TIMEOUT_MS = 30_000;

const ASKING = encode('ASKING');

export async function settleBusyKeys(busy: BusyKeys): Promise<SettledKeys> {
  const { source, target, keys } = busy;
  const link = await target.link();
  const equal: Buffer[] = [];
  // Before they are compared: if it is another one when they are sent, they are compared anew.
  const life = await readSourceLife(source);
  for (const name of decodeList(keys)) {
    const [there, here] = await Promise.all([
      dump(link, [ASKING, encode('DUMP', name)]),
      dump(source, [encode('DUMP', name)]),
    ]);
    if (!Buffer.isBuffer(there) || !Buffer.isBuffer(here)) continue;
    if (here.equals(there) || (await holdsTheSame(source, link, name))) equal.push(name);
    else return { equal: undefined, conflict: await describeConflict(busy, link, name) };
  }
  const doubtful = equal.length === 0 ? undefined : { keys: encodeList(equal), life };
  return { equal: doubtful, conflict: undefined };
}

async function dump(link: Link, commands: readonly Buffer[]): Promise<Reply | undefined> {
  const replies = await link.exchange({ commands, what: 'DUMP', timeoutMs: TIMEOUT_MS });
  return replies.at(-1);
}

/** Sets and hashes are dumped in the order of a table that each server seeds by itself. */
async function holdsTheSame(source: Link, target: Link, name: Buffer): Promise<boolean> {
  const type = replyText(await source.call('TYPE', encode('TYPE', name)));
  const command = { set: encode('SMEMBERS', name), hash: encode('HGETALL', name) }[type];
  if (command === undefined) return false;
  const width = type === 'hash' ? 2 : 1;
  const here = await dump(source, [command]);
  const there = await dump(target, [ASKING, command]);
  return sortedEntries(here, width) === sortedEntries(there, width);
}

/** One text for equal contents; different for what is no list at all. */
function sortedEntries(reply: Reply | undefined, width: number): string {
  if (!Array.isArray(reply)) return JSON.stringify([typeof reply, replyText(reply)]);
  const parts = reply.map((part) => (Buffer.isBuffer(part) ? part.toString('hex') : String(part)));
  const entries = Array.from({ length: parts.length / width }, (_, index) =>
    parts.slice(index * width, (index + 1) * width).join(':'),
  );
  return entries.toSorted().join(' ');
}

async function describeConflict(
  { source, target }: BusyKeys,
  link: Link,
  name: Buffer,
): Promise<KeyConflict> {
  const describe = async (at: Link, where: string, isAsked: boolean): Promise<string> => {
    const prefix = isAsked ? [ASKING] : [];
    const [type, bytes, ttl] = await Promise.all(
      ['TYPE', 'MEMORY USAGE', 'PTTL'].map((what) =>
        dump(at, [...prefix, encode(...what.split(' '), name)]),
      ),
    );
    return `${where}: ${replyText(type)}, ${replyText(bytes)} bytes, expires in ${replyText(ttl)} ms`;
  };
  return {
    key: showKeyName(name),
    evidence: [
      await describe(source, source.key, false),
      await describe(link, target.end.node, true),
    ],
  };
}
