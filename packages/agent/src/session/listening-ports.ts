/** Ports that something listens on where this host's nodes would bind, from /proc/net/tcp and tcp6. */
import { readFile } from 'node:fs/promises';
import { isLoopback } from '../nodes/render-config.ts';

/** `st` of a socket in LISTEN state (include/net/tcp_states.h). */
const LISTEN = '0A';

/**
 * Reads the ports that conflict with nodes that bind to `address`: a listener on the address itself,
 * on all addresses, or on 127.0.0.1, which nodes bind to as well unless the host is a loopback one.
 */
export async function readListeningPorts(address: string): Promise<ReadonlySet<number>> {
  const [ipv4, ipv6] = await Promise.all([read('/proc/net/tcp'), read('/proc/net/tcp6')]);
  return listeningPorts(ipv4, ipv6, address);
}

/** As `readListeningPorts`, on the texts of the two files. */
export function listeningPorts(ipv4: string, ipv6: string, address: string): ReadonlySet<number> {
  const own = new Set([hexOf(address), '00000000', '0'.repeat(32)]);
  if (!isLoopback(address)) own.add(hexOf('127.0.0.1'));
  const ports = new Set<number>();
  for (const line of [...linesWith(ipv4, ` ${LISTEN} `), ...linesWith(ipv6, ` ${LISTEN} `)]) {
    const [, local = '', , state] = line.trim().split(/\s+/);
    const [hexAddress = '', hexPort = ''] = local.split(':');
    if (state !== LISTEN || !isOwn(hexAddress, own)) continue;
    ports.add(Number.parseInt(hexPort, 16));
  }
  return ports;
}

/** A busy host has thousands of other sockets: their lines are not even made. */
function* linesWith(text: string, mark: string): Generator<string> {
  for (let at = text.indexOf(mark); at !== -1;) {
    const newline = text.indexOf('\n', at);
    const end = newline === -1 ? text.length : newline;
    yield text.slice(text.lastIndexOf('\n', at) + 1, end);
    at = text.indexOf(mark, end);
  }
}

/** An IPv6 address that holds an IPv4 one (`::ffff:10.0.0.1`) counts as that. */
function isOwn(hexAddress: string, own: ReadonlySet<string>): boolean {
  const mapped = '0000000000000000FFFF0000';
  const bare = hexAddress.startsWith(mapped) ? hexAddress.slice(mapped.length) : hexAddress;
  return own.has(bare);
}

/** As the kernel prints it: words of 32 bits in the byte order of the host, little-endian here. */
function hexOf(address: string): string {
  if (!address.includes(':')) {
    const bytes = address.split('.').map((part) => Number(part));
    return hexWord(bytes);
  }
  const [head = '', tail = ''] = address.split('::');
  const before = head.split(':').filter((group) => group !== '');
  const after = tail.split(':').filter((group) => group !== '');
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  const groups = [...before, ...zeros, ...after].map((group) => Number.parseInt(group, 16));
  const bytes = groups.flatMap((group) => [group >> 8, group & 0xff]);
  return [0, 4, 8, 12].map((start) => hexWord(bytes.slice(start, start + 4))).join('');
}

function hexWord(bytes: readonly number[]): string {
  return [...bytes]
    .toReversed()
    .map((byte) => byte.toString(16).padStart(2, '0').toUpperCase())
    .join('');
}

async function read(path: string): Promise<string> {
  // No such file: a kernel without that protocol, so nothing listens on it.
  return readFile(path, 'latin1').catch(() => '');
}
