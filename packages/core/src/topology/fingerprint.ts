/**
 * A short, stable fingerprint of text: for telling whether two things are the same, never for
 * security. Digests of archives and anything an attacker may choose belong to SHA-256, elsewhere.
 *
 * Two 32-bit FNV-1a lanes with different offsets and multipliers, each mixed at the end, make 64
 * bits without BigInt, which would be some fifty times slower in a poll of each second.
 */

/** FNV-1a's own offset basis and prime (draft-eastlake-fnv, 32 bit). */
const OFFSET_A = 0x811c9dc5;
const PRIME_A = 0x01000193;
/** A second lane that is independent of the first: cyrb53's seed and multiplier. */
const OFFSET_B = 0x41c6ce57;
const PRIME_B = 0x5bd1e995;

/** A running fingerprint: feed it text in pieces, then ask for `digest()`. */
export class Fingerprint {
  #a = OFFSET_A;
  #b = OFFSET_B;

  /** Adds `text` from `start` (inclusive) to `end` (exclusive), as UTF-16 code units. */
  add(text: string, start = 0, end = text.length): this {
    let a = this.#a;
    let b = this.#b;
    for (let index = start; index < end; index += 1) {
      const unit = text.charCodeAt(index);
      a = Math.imul(a ^ unit, PRIME_A);
      b = Math.imul(b ^ unit, PRIME_B);
      b ^= b >>> 15;
    }
    this.#a = a;
    this.#b = b;
    return this;
  }

  /** 16 lower-case hexadecimal digits. */
  digest(): string {
    return hex(mix(this.#a ^ (this.#b >>> 16))) + hex(mix(this.#b ^ Math.imul(this.#a, 3)));
  }
}

/** The fingerprint of a text: 16 lower-case hexadecimal digits. */
export function fingerprintOf(text: string): string {
  return new Fingerprint().add(text).digest();
}

/** MurmurHash3's finalizer: each input bit reaches each output bit. */
function mix(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

function hex(value: number): string {
  return (value >>> 0).toString(16).padStart(8, '0');
}
