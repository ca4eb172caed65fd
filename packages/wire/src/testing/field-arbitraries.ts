/** Random values of single fields, as wide as the wire and the documented bounds allow. */
import { SLOT_COUNT } from '@redrover/core';
import type * as core from '@redrover/core';
import * as fc from 'fast-check';

export type Fields<T> = { [Key in keyof T]-?: fc.Arbitrary<T[Key]> };

export function record<T>(fields: Fields<T>): fc.Arbitrary<T> {
  return fc.record(fields);
}

export const bool = fc.boolean();
/** Well-formed, as UTF-8 has no half surrogate pairs. */
export const text = fc.string({ unit: 'grapheme', maxLength: 20 });
export const word = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
export const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._+~-]{0,20}$/);
export const sha256 = fc.stringMatching(/^[0-9a-f]{64}$/);
export const uint32 = fc.oneof(fc.constantFrom(0, 1, 0xffff_ffff), fc.nat(0xffff_ffff));
export const uint64 = fc.oneof(fc.constantFrom(0, Number.MAX_SAFE_INTEGER), fc.maxSafeNat());
export const timeMs = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 8_640_000_000_000_000 }));
export const port = fc.integer({ min: 1, max: 65_535 });
export const viewPort = fc.oneof(fc.constant(0), port);
export const slot = fc.integer({ min: 0, max: SLOT_COUNT - 1 });
// protobuf-es reads a map into an object, where `__proto__` cannot be a key; no label or option has that name.
export const key = text.filter((name) => name !== '__proto__');
export const texts = fc.dictionary(key, text, { maxKeys: 4, noNullPrototype: true });

export function list<T>(items: fc.Arbitrary<T>, minLength = 0): fc.Arbitrary<T[]> {
  return fc.array(items, { minLength, maxLength: 4 });
}

export function maybe<T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(value, { nil: undefined });
}

export const slotRange: fc.Arbitrary<core.SlotRange> = fc
  .tuple(slot, slot)
  .map(([a, b]) => ({ start: Math.min(a, b), end: Math.max(a, b) }));
