import { styleText } from 'node:util';
import { expect, test } from 'vitest';

import { wrapText } from './wrap.ts';

test('lines end between words, and later ones are indented', () => {
  const text = 'Slots    none is lost at all';
  expect(wrapText(text, { width: 18, indent: 9 })).toBe(
    'Slots    none is\n         lost at\n         all',
  );
});

test('what fits stays as it is', () => {
  expect(wrapText('a  b', { width: 4 })).toBe('a  b');
});

test('a word that does not fit is not broken', () => {
  expect(wrapText('a abcdefgh b', { width: 4 })).toBe('a\nabcdefgh\nb');
});

test('colours take no room', () => {
  const red = styleText('red', 'abc', { validateStream: false });
  expect(wrapText(`${red} def`, { width: 7 })).toBe(`${red} def`);
});
