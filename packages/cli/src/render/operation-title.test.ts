import { expect, test } from 'vitest';

import { operationOf } from '../testing/examples.ts';
import { operationPurpose, operationTitle } from './operation-title.ts';

test.each([
  [{ kind: 'create' }, 'create shop', 'create'],
  [{ kind: 'remove' }, 'remove shop', 'remove'],
  [{ kind: 'change' }, 'change shop', 'change'],
  [{ kind: 'change', reason: 'drain host h2' }, 'drain host h2 (shop)', 'drain host h2'],
  [{ kind: 'repair' }, 'repair of shop', 'repair'],
  [{ kind: 'repair', reason: 'repair' }, 'repair of shop', 'repair'],
  [{ kind: 'repair', automatic: true }, 'automatic repair of shop', 'automatic repair'],
] as const)('%o reads "%s"', (change, title, purpose) => {
  expect(operationTitle(operationOf(change))).toBe(title);
  expect(operationPurpose(operationOf(change))).toBe(purpose);
});
