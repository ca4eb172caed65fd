/** Shows a wrong value in a message: short, in one line, whatever it is. */

/** Enough to recognise what was written, and still one line on a terminal. */
const SHOWN_LENGTH = 60;

export function describeValue(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'object') return 'fields with values';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return `a ${typeof value}`;
}

function quote(text: string): string {
  const shown = text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}…` : text;
  return JSON.stringify(shown);
}
