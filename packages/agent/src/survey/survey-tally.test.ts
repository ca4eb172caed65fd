import { expect, test } from 'vitest';

import { SurveyTally } from './survey-tally.ts';

test('a slot stands out whose few keys are much larger than those of the others', () => {
  const tally = new SurveyTally();
  for (let slot = 0; slot < 1_000; slot += 1) {
    tally.expect(slot, 40);
    tally.begin(slot);
    tally.add(slot, { keys: 8, bytes: 8 * (slot === 7 ? 400_000 : 300 + (slot % 50)) });
  }
  tally.expect(1_000, 40);
  const all = Array.from({ length: 1_001 }, (_, slot) => slot);
  expect([...tally.pickOdd(all)]).toEqual([7]);
});
