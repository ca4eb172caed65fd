/** Key names are bytes: how one is shown to people. */

/** What fits into a line of a preview; a name may be as long as 512 MB. */
const SHOWN_BYTES = 200;

/**
 * As UTF-8 where it is that and has nothing in it that a terminal would obey; else quoted and escaped
 * as redis-cli prints it. A name that is too long is cut, which three dots tell.
 */
export function showKeyName(name: Buffer): string {
  const isCut = name.length > SHOWN_BYTES;
  const text = decode(isCut ? name.subarray(0, SHOWN_BYTES) : name, isCut);
  const shown = text ?? `"${[...name.subarray(0, SHOWN_BYTES)].map(escapeByte).join('')}"`;
  return isCut ? `${shown}...` : shown;
}

/** Undefined for what is not UTF-8, or not printable. */
function decode(bytes: Buffer, isCut: boolean): string | undefined {
  try {
    // With `stream`, a character that the cut has halved is left out and is no error.
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: isCut });
    return /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]/u.test(text) || text === '' ? undefined : text;
  } catch {
    return undefined;
  }
}

const NAMED: Readonly<Record<number, string>> = {
  0x07: String.raw`\a`,
  0x08: String.raw`\b`,
  0x09: String.raw`\t`,
  0x0a: String.raw`\n`,
  0x0d: String.raw`\r`,
  0x22: String.raw`\"`,
  0x5c: String.raw`\\`,
};

function escapeByte(byte: number): string {
  const named = NAMED[byte];
  if (named !== undefined) return named;
  const isPrintable = byte >= 0x20 && byte < 0x7f;
  return isPrintable
    ? String.fromCharCode(byte)
    : String.raw`\x${byte.toString(16).padStart(2, '0')}`;
}
