import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fingerprint, fingerprintOf } from './fingerprint.ts';

describe('a fingerprint', () => {
  it('is the same for ever, as agents and controllers of different age compare it', () => {
    expect(fingerprintOf('')).toBe('13f4aaaa58354ed3');
    expect(fingerprintOf('redrover')).toBe('2bb6b79ebd404b68');
  });

  it('does not depend on how the text was cut', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(), (text, cut) => {
        const at = Math.min(cut, text.length);
        const pieces = new Fingerprint().add(text, 0, at).add(text, at);
        expect(pieces.digest()).toBe(fingerprintOf(text));
      }),
    );
  });

  it('differs among a hundred thousand similar texts', () => {
    const prints = new Set(Array.from({ length: 100_000 }, (_, at) => fingerprintOf(`slot ${at}`)));
    expect(prints.size).toBe(100_000);
  });

  it('has 16 hexadecimal digits', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(fingerprintOf(text)).toMatch(/^[0-9a-f]{16}$/);
      }),
    );
  });
});
