/** Sizes in what is said to people. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `0 B`, `812 KiB`, `1.5 GiB`: three significant digits, or the whole number. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${Number(value.toFixed(digits))} ${UNITS[unit]}`;
}

/** The value of `--max-key-bytes` that allows a key of this size, as a person would write it: `2mb`. */
export function ceilingText(bytes: number): string {
  return `${Math.ceil(bytes / 1024 ** 2)}mb`;
}
