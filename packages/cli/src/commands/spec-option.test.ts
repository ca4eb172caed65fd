import { expect, test } from 'vitest';

import { readSpec } from '../spec-file/read-spec.ts';
import { SPEC_HELP } from './spec-option.ts';

test('the spec that the help shows is one, with the defaults that it names', () => {
  const shown = SPEC_HELP.split('\n').filter((line) => /^ {2}( {2})?[a-zA-Z-]+: ?/.test(line));
  const text = shown.map((line) => line.slice(2)).join('\n');
  const accepted = { allowSameHost: false, allowWeakQuorum: false };
  const full = readSpec({ fileName: 'spec.yaml', text }, accepted);
  const least = 'name: shop\nrelease: redis-7.0.15\nshards: 3\nreplicas: 1\n';
  const bare = readSpec({ fileName: 'spec.yaml', text: least }, accepted);
  if (!full.ok || !bare.ok) throw new Error(JSON.stringify([full, bare]));
  const { nodeTimeoutMs, repair, repairQuietMs, placement } = bare.spec;
  expect(full.spec).toMatchObject({ nodeTimeoutMs, repair, repairQuietMs });
  expect(full.spec.placement.basePort).toBe(placement.basePort);
});
