/**
 * Text that others had a say in (keys, logs, file names) made harmless for a terminal: none of it can
 * move the cursor, set a title or answer for the person. Colours and line ends stay.
 */

// C0 without tab and line feed, DEL and C1 (ECMA-48); an escape that does not begin a colour (SGR).
// oxlint-disable-next-line no-control-regex
const HARMFUL = /[\u0000-\u0008\u000B-\u001A\u001C-\u001F\u007F-\u009F]|\u001B(?!\[[0-9;]*m)/g;

/** `\\x1b` for an escape, as redis-cli writes it. */
export function safeText(text: string): string {
  return text.replaceAll(HARMFUL, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}
