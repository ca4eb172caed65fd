/** Names of keys, which clients chose, shown so that they can do nothing to a terminal or a table. */

// Enough to recognise a key by; JSON output has the whole name.
const MAX_LENGTH = 24;

/** Control characters are escaped as redis-cli does; the middle of a long name is left out. */
export function showKeyName(name: string): string {
  const escaped = name.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, escapeCharacter);
  const characters = Array.from(escaped);
  if (characters.length <= MAX_LENGTH) return escaped;
  const half = (MAX_LENGTH - 1) / 2;
  const start = characters.slice(0, Math.ceil(half));
  return [...start, '…', ...characters.slice(-Math.floor(half))].join('');
}

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function escapeCharacter(character: string): string {
  const bytes = [...Buffer.from(character, 'utf8')];
  const hex = bytes.map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
  return NAMED[character] ?? hex;
}
