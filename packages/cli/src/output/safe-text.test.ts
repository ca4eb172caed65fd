import { styleText } from 'node:util';
import { expect, test } from 'vitest';

import { safeText } from './safe-text.ts';

test.each([
  ['\u001B[2J', String.raw`\x1b[2J`],
  ['\u001B]0;title\u0007', String.raw`\x1b]0;title\x07`],
  ['a\rb', String.raw`a\x0db`],
  ['\u009B31m', String.raw`\x9b31m`],
  ['\u0000', String.raw`\x00`],
])('%j cannot act on a terminal', (text, safe) => {
  expect(safeText(text)).toBe(safe);
});

test('colours, tabs and line ends stay', () => {
  const red = styleText('red', 'ключ', { validateStream: false });
  expect(safeText(`${red}\n\t→ █`)).toBe(`${red}\n\t→ █`);
});
