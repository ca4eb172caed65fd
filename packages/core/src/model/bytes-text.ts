/** Sizes in what is said to people: `1.12 MiB`. */

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Three digits are enough. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? Math.round(value) : Number(value.toPrecision(3))} ${UNITS[unit]}`;
}

/** The value of `--max-key-bytes` that allows a key of this size, as a person would write it: `2mb`. */
export function ceilingText(bytes: number): string {
  return `${Math.ceil(bytes / 1024 ** 2)}mb`;
}
