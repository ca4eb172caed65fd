/**
 * The lexical rules of redis.conf (Redis documentation, "Redis configuration"): one directive per
 * line, arguments split at blanks, double quotes with C-like escapes.
 */

/** Needs no quotes in any release. */
const PLAIN = /^[A-Za-z0-9_./:@%+=,~^-]+$/;

/** Quotes one argument so that the server reads back exactly `value`. */
export function quoteArgument(value: string): string {
  if (PLAIN.test(value)) return value;
  let quoted = '';
  for (const byte of Buffer.from(value, 'utf8')) {
    if (byte === 0x22 || byte === 0x5c) quoted += `\\${String.fromCharCode(byte)}`;
    else if (byte >= 0x20 && byte <= 0x7e) quoted += String.fromCharCode(byte);
    else quoted += `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  return `"${quoted}"`;
}

/** Whether the text stays within its line: anything else could smuggle in a further directive. */
export function staysInLine(text: string): boolean {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for.
  return !/[\u0000-\u0008\u000a-\u001f\u007f]/.test(text);
}

/** The last value of a directive in a rendered config, unquoted; undefined if it is not there. */
export function readDirective(config: string, name: string): string | undefined {
  const prefix = `${name} `;
  const line = config.split('\n').findLast((candidate) => candidate.startsWith(prefix));
  return line === undefined ? undefined : unquote(line.slice(prefix.length).trim());
}

function unquote(text: string): string {
  if (!text.startsWith('"') || !text.endsWith('"')) return text;
  const bytes: number[] = [];
  const inner = text.slice(1, -1);
  for (let index = 0; index < inner.length; index += 1) {
    if (inner[index] !== '\\') bytes.push(inner.charCodeAt(index));
    else if (inner[index + 1] === 'x') {
      bytes.push(Number.parseInt(inner.slice(index + 2, index + 4), 16));
      index += 3;
    } else {
      bytes.push(inner.charCodeAt(index + 1));
      index += 1;
    }
  }
  return Buffer.from(bytes).toString('utf8');
}
