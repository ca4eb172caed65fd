import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';

import { view } from '../testing/examples.ts';
import { createDisplay } from './display.ts';

function open(size: { isTTY: boolean; columns?: number; rows?: number }) {
  const stream = Object.assign(new PassThrough(), size);
  const display = createDisplay(stream as unknown as NodeJS.WriteStream, view);
  const written = () => String(stream.read() ?? '');
  return { stream, display, written };
}

test('a terminal is redrawn in place, and no line is longer than it is wide', () => {
  const { display, written } = open({ isTTY: true, columns: 20, rows: 10 });
  display.show(['short', 'x'.repeat(50)]);
  expect(written()).toBe(`\r\u001B[0Jshort\n${'x'.repeat(18)}…\n`);
  display.show(['again']);
  expect(written()).toBe('\u001B[2A\r\u001B[0Jagain\n');
  display.say('stays');
  expect(written()).toBe('\u001B[1A\r\u001B[0Jstays\nagain\n');
});

test('no more lines are drawn than the cursor can go up again, also once it was resized', () => {
  const { stream, display, written } = open({ isTTY: true, columns: 80, rows: 4 });
  const lines = ['1', '2', '3', '4', '5'];
  display.show(lines);
  expect(written()).toBe('\r\u001B[0J1\n2\n3\n');
  Object.assign(stream, { columns: 60, rows: 3 });
  expect(display.size()).toEqual({ width: 59, height: 2 });
  display.show(lines);
  expect(written()).toBe('\u001B[3A\r\u001B[0J1\n2\n');
});

test('a pipe gets only what stays, as plain lines', () => {
  const { display, written } = open({ isTTY: false });
  display.show(['bar']);
  display.say('done \u001B[2J');
  expect(display.live).toBe(false);
  expect(written()).toBe('done \\x1b[2J\n');
});
