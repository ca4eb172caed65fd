import { expect, test } from 'vitest';

import { finding, view } from '../testing/examples.ts';
import { renderFindings } from './finding-view.ts';

test('the worst come first, each with its evidence and remedy', () => {
  const minor = finding({ rule: 'role-drift', severity: 'info', subject: 'shop', message: 'm' });
  const major = finding({ severity: 'critical', evidence: ['node h3:1'], remedy: 'do it' });
  expect(renderFindings([minor, major], view).split('\n')).toEqual([
    'critical h3: h3 is lost (host-lost)',
    '    node h3:1',
    '    → do it',
    'info     shop: m (role-drift)',
  ]);
});

test('findings of a rule are told together, with each remedy once', () => {
  const both = ['h1', 'h2'].map((subject) =>
    finding({ subject, message: `${subject} is lost`, remedy: 'do it' }),
  );
  expect(renderFindings(both, view).split('\n')).toEqual([
    'warning  host-lost: 2 findings',
    '    h1 is lost',
    '    h2 is lost',
    '    → do it',
  ]);
});

test('what two clusters say alike of a host is told once', () => {
  expect(renderFindings([finding({}), finding({})], view)).toBe(
    'warning  h3: h3 is lost (host-lost)',
  );
});
