/** Weights of shards as people write them: `s1=2,s4=0.5`. Whether there are such shards is not said here. */
import { InvalidArgumentError } from 'commander';

const EXPECTED = 'expected shards with their weights, such as s1=2,s4=0.5';

/** What was given before is added to. Errors: `InvalidArgumentError` that names the part which is wrong. */
export function parseWeights(
  text: string,
  before: Readonly<Record<string, number>> = {},
): Record<string, number> {
  const weights = new Map(Object.entries(before));
  const parts = text.split(/[\s,]+/).filter((part) => part !== '');
  if (parts.length === 0) throw new InvalidArgumentError(`it is empty; ${EXPECTED}.`);
  for (const part of parts) {
    const match = /^([a-z][a-z0-9-]*)=(.*)$/i.exec(part);
    if (match === null) throw new InvalidArgumentError(`got "${part}"; ${EXPECTED}.`);
    const [, shard = '', given = ''] = match;
    if (weights.has(shard)) {
      throw new InvalidArgumentError(`shard ${shard} is named twice; give it one weight.`);
    }
    if (!/^\d{1,6}(\.\d{1,6})?$/.test(given)) {
      throw new InvalidArgumentError(
        `the weight of ${shard} is "${given}"; expected a number from 0 (no slots) on, such as 0.5.`,
      );
    }
    weights.set(shard, Number(given));
  }
  return Object.fromEntries(weights);
}
