import { expect, test } from 'vitest';

import { createStyle } from './style.ts';

const terminal = { isTerminal: true, noColor: false, env: {} };

test('a terminal gets colours', () => {
  expect(createStyle(terminal).bad('no')).not.toBe('no');
});

test.each([
  ['a pipe', { ...terminal, isTerminal: false }],
  ['--no-color', { ...terminal, noColor: true }],
  ['NO_COLOR', { ...terminal, env: { NO_COLOR: '1' } }],
  ['TERM=dumb', { ...terminal, env: { TERM: 'dumb' } }],
])('%s gets none', (_, input) => {
  expect(createStyle(input).bad('no')).toBe('no');
});

test('an empty NO_COLOR says nothing, as no-color.org has it', () => {
  expect(createStyle({ ...terminal, env: { NO_COLOR: '' } }).enabled).toBe(true);
});
