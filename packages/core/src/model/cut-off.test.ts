import { describe, expect, it } from 'vitest';
import { isCutOff } from './cut-off.ts';
import type { HostStatus } from './host.ts';

describe('a controller', () => {
  it.each<[boolean, HostStatus[]]>([
    [false, []],
    [false, ['lost']],
    [false, ['online', 'lost']],
    [true, ['suspect', 'lost']],
    [false, ['online', 'online', 'lost']],
    [true, ['online', 'suspect', 'lost']],
    [false, ['online', 'online', 'lost', 'lost']],
    [true, ['online', 'lost', 'lost', 'lost']],
  ])('is cut off: %s, with hosts %j', (expected, statuses) => {
    expect(isCutOff(statuses.map((status) => ({ status })))).toBe(expected);
  });
});
