/**
 * Hash slot of a key (Redis Cluster specification, "Key distribution model"), and a tag that lands on
 * a wanted slot.
 */
import { SLOT_COUNT, type SlotRange } from '@redrover/core';

/** CRC16-XMODEM: polynomial 0x1021, initial value 0. */
const CRC16_POLYNOMIAL = 0x1021;

const CRC16_TABLE: readonly number[] = Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit += 1) {
    crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ CRC16_POLYNOMIAL;
  }
  return crc & 0xffff;
});

/** Slot of a text without braces, or of what a key has between its first pair of them. */
export function slotOfTag(tag: string): number {
  return slotOfBytes(Buffer.from(tag, 'utf8'));
}

/** Slot of a key: of what stands between its first brace and the next closing one, if that is anything. */
export function slotOfKey(name: Buffer): number {
  const open = name.indexOf(OPENING_BRACE);
  const close = open === -1 ? -1 : name.indexOf(CLOSING_BRACE, open + 1);
  return slotOfBytes(close > open + 1 ? name.subarray(open + 1, close) : name);
}

const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;

function slotOfBytes(bytes: Buffer): number {
  let crc = 0;
  for (const byte of bytes) {
    crc = ((crc << 8) & 0xffff) ^ (CRC16_TABLE[((crc >> 8) ^ byte) & 0xff] ?? 0);
  }
  return crc % SLOT_COUNT;
}

/** With one wanted slot, that many tags miss it with a probability below 1 in 10 million. */
const MAX_TAGS = 16 * SLOT_COUNT;

/** A tag whose slot is one of the ranges'; undefined for no ranges. */
export function findTag(ranges: readonly SlotRange[]): string | undefined {
  for (let index = 0; index < MAX_TAGS; index += 1) {
    const tag = index.toString(36);
    const slot = slotOfTag(tag);
    if (ranges.some(({ start, end }) => start <= slot && slot <= end)) return tag;
  }
  return undefined;
}
