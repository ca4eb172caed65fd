/** Where progress is shown: redrawn lines on a terminal, one line after another in a pipe. */
import { stripVTControlCharacters } from 'node:util';

import type { View } from '../output/output.ts';
import { safeText } from '../output/safe-text.ts';

export interface Display {
  /** A line that stays. */
  readonly say: (line: string) => void;
  /** Lines that are replaced by the next call; a pipe shows none of them. */
  readonly show: (lines: readonly string[]) => void;
  /** Takes the replaceable lines away. */
  readonly clear: () => void;
  /** Whether replaceable lines are seen at all. */
  readonly live: boolean;
  /** What there is room for now: a terminal may be resized. */
  readonly size: () => DisplaySize;
}

export interface DisplaySize {
  /** Of a line: longer ones are cut. */
  readonly width: number;
  /** Replaceable lines: further ones are left out. */
  readonly height: number;
}

export function createDisplay(stream: NodeJS.WriteStream, view: View): Display {
  return stream.isTTY && process.env['TERM'] !== 'dumb'
    ? createTerminalDisplay(stream, view)
    : createPlainDisplay(stream, view);
}

function createPlainDisplay(stream: NodeJS.WriteStream, { width }: View): Display {
  return {
    say: (line) => stream.write(`${safeText(line)}\n`),
    show: () => {},
    clear: () => {},
    live: false,
    size: () => ({ width, height: Number.POSITIVE_INFINITY }),
  };
}

// Of a terminal that does not tell; less than what hardly any has.
const DEFAULT_HEIGHT = 24;

// ECMA-48: cursor up, erase to the end of the screen.
const ERASE_BELOW = '\u001B[0J';
const cursorUp = (lines: number): string => (lines === 0 ? '' : `\u001B[${lines}A`);

function createTerminalDisplay(stream: NodeJS.WriteStream, { width }: View): Display {
  let shown = 0;
  // One column for the cursor, and the last line for what is typed next. 0 on some pseudo terminals.
  const size = (): DisplaySize => ({
    width: (stream.columns || width) - 1,
    height: (stream.rows || DEFAULT_HEIGHT) - 1,
  });
  const redraw = (lines: readonly string[], kept: readonly string[] = []): void => {
    const room = size();
    // The cursor goes up no further than to the top of the screen.
    const fitting = lines.slice(0, room.height).map((line) => cut(line, room.width));
    const text = safeText([...kept, ...fitting].map((line) => `${line}\n`).join(''));
    stream.write(`${cursorUp(shown)}\r${ERASE_BELOW}${text}`);
    shown = fitting.length;
  };
  let current: readonly string[] = [];
  return {
    say: (line) => redraw(current, [line]),
    show: (lines) => {
      current = lines;
      redraw(lines);
    },
    clear: () => {
      current = [];
      if (shown > 0) redraw([]);
    },
    live: true,
    size,
  };
}

/** A wrapped line would spoil the count of lines to redraw; one that is cut loses its colours. */
function cut(line: string, width: number): string {
  const plain = stripVTControlCharacters(line);
  return plain.length <= width ? line : `${plain.slice(0, width - 1)}…`;
}

const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const SPINNER_STEP_MS = 100;

export function spinner(nowMs: number): string {
  return SPINNER[Math.floor(nowMs / SPINNER_STEP_MS) % SPINNER.length] ?? '';
}

/** `[██████░░░░]`; a fraction outside 0 to 1 is taken for the nearer end. */
export function bar(fraction: number, width: number): string {
  const full = Math.round(Math.min(1, Math.max(0, fraction)) * width);
  return `[${'█'.repeat(full)}${'░'.repeat(width - full)}]`;
}
