/** Writes commands as RESP (Redis documentation, "RESP protocol": arrays of bulk strings). */
import { RawList } from './resp-parser.ts';

export type Argument = string | number | Buffer;

/** One command; arguments that are texts are sent as UTF-8. */
export function encode(...args: readonly Argument[]): Buffer {
  let text = `*${args.length}\r\n`;
  const parts: Buffer[] = [];
  for (const part of args) {
    if (Buffer.isBuffer(part)) {
      parts.push(Buffer.from(`${text}$${part.length}\r\n`), part);
      text = '\r\n';
    } else {
      text += bulkOf(String(part));
    }
  }
  if (parts.length === 0) return Buffer.from(text);
  return Buffer.concat([...parts, Buffer.from(text)]);
}

/** One command whose last arguments are a list of keys as it came in a reply. */
export function encodeWithKeys(args: readonly Argument[], keys: RawList): Buffer {
  const head = args.map((part) => bulkOf(String(part))).join('');
  return Buffer.concat([Buffer.from(`*${args.length + keys.count}\r\n${head}`), keys.bytes]);
}

const LINE_END = Buffer.from('\r\n');

function bulkOf(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}

/** Arguments as they would come in a reply. */
export function encodeList(parts: readonly Buffer[]): RawList {
  const bytes = parts.flatMap((part) => [Buffer.from(`$${part.length}\r\n`), part, LINE_END]);
  return new RawList(parts.length, Buffer.concat(bytes));
}

/** The arguments of such a list one by one. */
export function decodeList({ count, bytes }: RawList): Buffer[] {
  const parts: Buffer[] = [];
  let at = 0;
  while (parts.length < count) {
    const lineEnd = bytes.indexOf(LINE_END, at);
    const start = lineEnd + LINE_END.length;
    // `$LENGTH`, then so many bytes.
    const length = Number(bytes.toString('latin1', at + 1, lineEnd));
    parts.push(bytes.subarray(start, start + length));
    at = start + length + LINE_END.length;
  }
  return parts;
}
