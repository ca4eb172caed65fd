import { assert, property, string } from 'fast-check';
import { expect, test } from 'vitest';

import { quoteArgument, readDirective, staysInLine } from './config-syntax.ts';

test('what is quoted stays in its line and reads back the same', () => {
  assert(
    property(string({ unit: 'binary' }), (value) => {
      const line = `requirepass ${quoteArgument(value)}`;
      expect(staysInLine(line)).toBe(true);
      expect(readDirective(line, 'requirepass')).toBe(value.toWellFormed());
    }),
  );
});

test('the last directive of a name counts', () => {
  const config = 'save 1 1\nappendonly yes\nappendonly no\n';
  expect(readDirective(config, 'appendonly')).toBe('no');
  expect(readDirective(config, 'append')).toBeUndefined();
});
