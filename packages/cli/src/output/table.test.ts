import { stripVTControlCharacters, styleText } from 'node:util';
import { expect, test } from 'vitest';

import { createStyle } from './style.ts';
import { fitColumns, renderTable } from './table.ts';

const style = createStyle({ isTerminal: false, noColor: false, env: {} });

const text = (natural: number, longestWord = 5) => ({ natural, longestWord });

test('columns keep their width while they fit', () => {
  expect(fitColumns([text(4), text(10), text(30)], 100)).toEqual([4, 10, 30]);
});

test('the widest column gives way first', () => {
  expect(fitColumns([text(4), text(10), text(120)], 60)).toEqual([4, 10, 42]);
});

test('columns that are equally wide give way together', () => {
  expect(fitColumns([text(60), text(60)], 82)).toEqual([40, 40]);
});

test('a column that can be wrapped gives way before words are broken', () => {
  expect(fitColumns([text(50, 50), text(40, 10)], 72)).toEqual([50, 20]);
});

test('no column is squeezed beyond reading, even when the terminal is too small', () => {
  const columns = [text(50, 40), text(50, 40), text(50, 40)];
  expect(Math.min(...fitColumns(columns, 10))).toBe(12);
});

test('a word that is longer than its column is broken, not cut off', () => {
  const word = 'abcdefghijklmnopqrstuvwxyz'.repeat(3);
  const rendered = renderTable({ columns: ['A', 'B'], rows: [['x', word]], style, width: 40 });
  expect(rendered.replaceAll(/[\sABx]/g, '')).toContain(word.replaceAll('x', ''));
  expect(rendered).not.toContain('…');
});

test('a table is as wide as asked at the most, and loses nothing', () => {
  const remark = 'a remark that is much longer than what is left of the line for it to be shown in';
  const rendered = renderTable({
    columns: ['NAME', 'REMARK'],
    rows: [['h1', remark]],
    style,
    width: 40,
  });
  expect(Math.max(...rendered.split('\n').map((line) => line.length))).toBeLessThanOrEqual(40);
  for (const word of remark.split(' ')) expect(rendered).toContain(word);
});

test('colours do not count for the width', () => {
  const painted = styleText('red', 'down', { validateStream: false });
  const painting = renderTable({
    columns: ['A', 'B'],
    rows: [
      [painted, 'x'],
      ['good', 'y'],
    ],
    style,
    width: 80,
  });
  const lines = stripVTControlCharacters(painting).split('\n');
  expect(lines[1]?.indexOf('x')).toBe(lines[2]?.indexOf('y'));
});
