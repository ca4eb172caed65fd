import { stripVTControlCharacters, styleText } from 'node:util';
import { expect, test } from 'vitest';

import { createStyle } from './style.ts';
import { fitColumns, renderTable } from './table.ts';

const style = createStyle({ isTerminal: false, noColor: false, env: {} });

test('columns keep their width while they fit', () => {
  expect(fitColumns([4, 10, 30], 100)).toEqual([4, 10, 30]);
});

test('the widest column gives way first', () => {
  expect(fitColumns([4, 10, 120], 60)).toEqual([4, 10, 42]);
});

test('columns that are equally wide give way together', () => {
  const widths = fitColumns([60, 60], 82);
  expect(widths).toEqual([40, 40]);
});

test('no column is squeezed beyond reading, even when the terminal is too small', () => {
  expect(Math.min(...fitColumns([50, 50, 50], 10))).toBe(12);
});

test('a table is as wide as asked at the most, and loses nothing', () => {
  const remark = 'a remark that is much longer than what is left of the line for it to be shown in';
  const text = renderTable({
    columns: ['NAME', 'REMARK'],
    rows: [['h1', remark]],
    style,
    width: 40,
  });
  expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(40);
  for (const word of remark.split(' ')) expect(text).toContain(word);
});

test('colours do not count for the width', () => {
  const painted = styleText('red', 'down', { validateStream: false });
  const text = renderTable({
    columns: ['A', 'B'],
    rows: [
      [painted, 'x'],
      ['good', 'y'],
    ],
    style,
    width: 80,
  });
  const lines = stripVTControlCharacters(text).split('\n');
  expect(lines[1]?.indexOf('x')).toBe(lines[2]?.indexOf('y'));
});
