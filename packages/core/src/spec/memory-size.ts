/**
 * Memory sizes as redis.conf writes them ("1gb", "512mb", "100k"), read and shown back.
 *
 * What a sensible size is, is `parse-spec.ts`'s business.
 */

/** redis.conf, "Note on units": k, m, g count in thousands, kb, mb, gb in powers of 1024. */
const UNIT_BYTES: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['b', 1],
  ['k', 1000],
  ['kb', 1024],
  ['m', 1000 ** 2],
  ['mb', 1024 ** 2],
  ['g', 1000 ** 3],
  ['gb', 1024 ** 3],
]);

const SHOWN_UNITS = ['gb', 'mb', 'kb'] as const;

/** The size in bytes; undefined for anything that is not a whole number with one of the units. */
export function parseMemorySize(text: string): number | undefined {
  const match = /^(\d{1,16})\s*([a-z]*)$/.exec(text.trim().toLowerCase());
  const unitBytes = UNIT_BYTES.get(match?.[2] ?? 'unknown');
  if (match === null || unitBytes === undefined) return undefined;
  const sizeBytes = Number(match[1]) * unitBytes;
  return Number.isSafeInteger(sizeBytes) ? sizeBytes : undefined;
}

/** In the largest unit that shows it exactly; reading it back gives the same number. */
export function formatMemorySize(sizeBytes: number): string | number {
  for (const unit of SHOWN_UNITS) {
    const unitBytes = UNIT_BYTES.get(unit) ?? 1;
    if (sizeBytes > 0 && sizeBytes % unitBytes === 0) return `${sizeBytes / unitBytes}${unit}`;
  }
  return sizeBytes;
}
