/**
 * Reads the text of `CLUSTER NODES` as Redis 5.0 to 8.x and Valkey 7.2 to 9.x print it.
 *
 * A line is `<id> <ip:port@bus[,hostname[,key=value…]]> <flags> <master|-> <ping> <pong> <epoch>
 * <link> [slot…]` (Redis command page CLUSTER NODES, "Serialization format"). The `vars` line of
 * a nodes.conf file is skipped, so that such a file can be read too.
 */
import { RedroverError } from '../errors.ts';
import type { ClusterView, OpenSlot, ViewNode } from '../model/observation.ts';
import { busPortOf } from '../model/layout.ts';
import { normalizeRanges, SLOT_COUNT, type SlotRange } from '../model/slots.ts';
import { clusterViewOf } from './cluster-view.ts';
import { Fingerprint } from './fingerprint.ts';

/** One reading of `CLUSTER NODES`. */
export interface ClusterNodesReading {
  /** Node id of the node that answered; empty if no line carries `myself`. */
  readonly myselfId: string;
  readonly view: ClusterView;
  /** Fingerprint of the text without its ping and pong times: equal text need not be read again. */
  readonly textPrint: string;
}

/** id, address, flags, master, ping, pong, epoch, link. */
const FIELD_COUNT = 8;

/**
 * Reads the text into a view.
 *
 * Give the node's previous reading where there is one: if nothing but ping and pong times has
 * moved, it is returned as it is, after one pass over the text that allocates next to nothing.
 * That is what keeps polling ten nodes of a thousand lines each second affordable.
 *
 * @throws RedroverError `invalid-argument` for a line that is not of the format.
 */
export function readClusterNodes(
  text: string,
  previous?: ClusterNodesReading,
): ClusterNodesReading {
  const textPrint = printWithoutTimes(text);
  if (previous !== undefined && previous.textPrint === textPrint) return previous;
  const nodes: ViewNode[] = [];
  let myselfId = '';
  for (const line of text.split('\n')) {
    const trimmed = line.trimEnd();
    if (trimmed === '' || trimmed.startsWith('vars ')) continue;
    const { node, isMyself } = readLine(trimmed);
    if (isMyself) myselfId = node.nodeId;
    nodes.push(node);
  }
  return { myselfId, view: clusterViewOf(nodes), textPrint };
}

/** Fingerprints everything but the fifth and sixth field of each line. */
function printWithoutTimes(text: string): string {
  const print = new Fingerprint();
  let lineStart = 0;
  while (lineStart < text.length) {
    const newline = text.indexOf('\n', lineStart);
    const lineEnd = newline === -1 ? text.length : newline + 1;
    const timesStart = endOfFields(text, lineStart, 4);
    const timesEnd = timesStart === 0 ? 0 : endOfFields(text, timesStart, 2);
    if (timesStart === 0 || timesEnd === 0 || timesEnd > lineEnd) {
      print.add(text, lineStart, lineEnd);
    } else {
      print.add(text, lineStart, timesStart).add(text, timesEnd, lineEnd);
    }
    lineStart = lineEnd;
  }
  return print.digest();
}

/** Index just behind the `count`-th space from `start`; 0 if there are fewer. */
function endOfFields(text: string, start: number, count: number): number {
  let index = start;
  for (let field = 0; field < count; field += 1) {
    const space = text.indexOf(' ', index);
    if (space === -1) return 0;
    index = space + 1;
  }
  return index;
}

function readLine(line: string): { node: ViewNode; isMyself: boolean } {
  const fields = line.split(' ');
  if (fields.length < FIELD_COUNT) throw malformed(line, 'fewer than 8 fields');
  const [nodeId, endpoint, flagText, master, , , epoch, link] = fields as [
    string,
    string,
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const flags = flagText.split(',').filter((flag) => flag !== '');
  const slots: SlotRange[] = [];
  const migrating: OpenSlot[] = [];
  const importing: OpenSlot[] = [];
  for (let index = FIELD_COUNT; index < fields.length; index += 1) {
    const field = fields[index] ?? '';
    if (field === '') continue;
    if (field.startsWith('[')) readOpenSlot(line, field, migrating, importing);
    else slots.push(readSlotRange(line, field));
  }
  const node: ViewNode = {
    nodeId,
    ...readEndpoint(line, endpoint),
    flags: flags.filter((flag) => flag !== 'myself'),
    masterId: master === '-' ? '' : master,
    configEpoch: readNumber(line, epoch),
    connected: link === 'connected',
    slots: normalizeRanges(slots),
    migrating,
    importing,
  };
  return { node, isMyself: flags.includes('myself') };
}

/**
 * `ip:port@bus`, then from 7.0 `,hostname` and from 7.2 `,key=value` pairs, which are not needed
 * here. The ip may be IPv6 (its colons are told apart by taking the last one) or empty (a node
 * that does not know its own address yet). Redis 3 printed no bus port.
 */
function readEndpoint(line: string, endpoint: string) {
  const comma = endpoint.indexOf(',');
  const bare = comma === -1 ? endpoint : endpoint.slice(0, comma);
  const at = bare.lastIndexOf('@');
  const beforeBus = at === -1 ? bare : bare.slice(0, at);
  const colon = beforeBus.lastIndexOf(':');
  if (colon === -1) throw malformed(line, `no port in ${endpoint}`);
  const port = readNumber(line, beforeBus.slice(colon + 1));
  const busPort = at === -1 ? busPortOf(port) : readNumber(line, bare.slice(at + 1));
  return { address: beforeBus.slice(0, colon), port, busPort };
}

/** `[93-<-id]` (importing from) or `[93->-id]` (migrating to). */
function readOpenSlot(
  line: string,
  field: string,
  migrating: OpenSlot[],
  importing: OpenSlot[],
): void {
  const match = /^\[(\d+)-([<>])-([0-9a-zA-Z]+)\]$/.exec(field);
  if (match === null) throw malformed(line, `open slot ${field}`);
  const open = { slot: readNumber(line, match[1] ?? ''), nodeId: match[3] ?? '' };
  (match[2] === '>' ? migrating : importing).push(open);
}

function readSlotRange(line: string, field: string): SlotRange {
  const dash = field.indexOf('-');
  const start = readNumber(line, dash === -1 ? field : field.slice(0, dash));
  const end = dash === -1 ? start : readNumber(line, field.slice(dash + 1));
  if (start > end || end >= SLOT_COUNT) throw malformed(line, `slot range ${field}`);
  return { start, end };
}

function readNumber(line: string, digits: string): number {
  if (!/^\d+$/.test(digits)) throw malformed(line, `number "${digits}"`);
  return Number(digits);
}

function malformed(line: string, what: string): RedroverError {
  return new RedroverError(
    'invalid-argument',
    `reading CLUSTER NODES: ${what}; is this a Redis Cluster node?`,
    { context: { line: line.slice(0, 200) } },
  );
}
