/**
 * What the mappings of all messages share: bounds of single fields, numbers, times and enums.
 *
 * Whatever comes from the wire is checked here; a value that core's types do not allow is an `invalid-argument` that
 * names the field, for example `layout.nodes[2].port: 0 is not a port (1 to 65535)`. Rules that take more than one
 * message to judge belong to core.
 */
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { Timestamp } from '@bufbuild/protobuf/wkt';
import { RedroverError, SLOT_COUNT } from '@redrover/core';

const MAX_PORT = 65_535;
/** Above it a JavaScript date is invalid: 100 million days after 1970 (ECMA-262, "Time Values and Time Range"). */
const MAX_TIME_MS = 8_640_000_000_000_000;
/**
 * Names end up in file names, unit names and journals: letters, digits and `. _ + ~ -`, no leading dot or dash.
 * 128 leaves room for prefixes and suffixes in the 255 bytes of a file name.
 */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}$/;
const SHA256 = /^[0-9a-f]{64}$/;

export function invalidField(path: string, problem: string): RedroverError {
  return new RedroverError('invalid-argument', `${path}: ${problem}`, { context: { field: path } });
}

/** A message that the type needs; proto3 has no required ones. */
export function requiredField<T>(value: T | undefined, path: string): T {
  if (value === undefined) throw invalidField(path, 'missing');
  return value;
}

export function nonEmptyFromProto(value: string, path: string): string {
  if (value === '') throw invalidField(path, 'empty');
  return value;
}

export function nameFromProto(value: string, path: string): string {
  if (NAME.test(value)) return value;
  throw invalidField(
    path,
    `${quoted(value)} is not a name (1 to 128 letters, digits or . _ + ~ -, a letter or digit first)`,
  );
}

export function sha256FromProto(value: string, path: string): string {
  if (SHA256.test(value)) return value;
  throw invalidField(path, `${quoted(value)} is not a SHA-256 (64 lower-case hexadecimal digits)`);
}

export function portFromProto(value: number, path: string): number {
  if (value >= 1 && value <= MAX_PORT) return value;
  throw invalidField(path, `${value} is not a port (1 to ${MAX_PORT})`);
}

/** Of a node in somebody's view: Redis prints 0 while it does not know the address. */
export function viewPortFromProto(value: number, path: string): number {
  if (value >= 0 && value <= MAX_PORT) return value;
  throw invalidField(path, `${value} is not a port (0 to ${MAX_PORT})`);
}

export function slotFromProto(value: number, path: string): number {
  if (value >= 0 && value < SLOT_COUNT) return value;
  throw invalidField(path, `${value} is not a slot (0 to ${SLOT_COUNT - 1})`);
}

/** uint64 and int64 as numbers: bytes, counts, epochs. */
export function numberFromProto(value: bigint, path: string): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw invalidField(path, `${value} is beyond what this version can count (2^53 - 1)`);
}

/** A number that is not whole is a defect of the sender: it throws `internal`. */
export function numberToProto(value: number, path: string): bigint {
  if (Number.isSafeInteger(value)) return BigInt(value);
  throw new RedroverError('internal', `${path}: ${value} is not a whole number below 2^53`);
}

/** Milliseconds since the epoch; finer parts are cut off. */
export function timestampFromProto(value: Timestamp | undefined, path: string): number {
  const { seconds, nanos } = requiredField(value, path);
  const ms = Number(seconds) * 1000 + Math.floor(nanos / 1_000_000);
  if (ms >= 0 && ms <= MAX_TIME_MS && nanos >= 0 && nanos < 1_000_000_000) return ms;
  throw invalidField(path, `${seconds} s and ${nanos} ns is not a time after 1970`);
}

export function timestampToProto(ms: number): Timestamp {
  return timestampFromMs(Math.floor(ms));
}

export function listFromProto<From, To>(
  items: readonly From[],
  path: string,
  map: (item: From, path: string) => To,
): To[] {
  return items.map((item, index) => map(item, `${path}[${index}]`));
}

export function optional<From, To>(
  value: From | undefined,
  map: (value: From) => To,
): To | undefined {
  return value === undefined ? undefined : map(value);
}

export interface EnumMapping<Core extends string, Proto extends number> {
  toProto(value: Core): Proto;
  /** Throws on 0 (unspecified) and on numbers that only a newer peer knows. */
  fromProto(value: Proto, path: string): Core;
}

/** A union of strings in core and an enum in proto; the record makes the compiler ask for every member. */
export function enumMapping<Core extends string, Proto extends number>(
  protoByCore: Readonly<Record<Core, Proto>>,
): EnumMapping<Core, Proto> {
  const names = Object.keys(protoByCore) as Core[];
  const coreByProto = new Map<number, Core>(names.map((name) => [protoByCore[name], name]));
  return {
    toProto: (value) => protoByCore[value],
    fromProto: (value, path) => {
      const core = coreByProto.get(value);
      if (core !== undefined) return core;
      throw invalidField(path, value === 0 ? 'unspecified' : `${value} is unknown to this version`);
    },
  };
}

function quoted(value: string): string {
  // As much as a line can hold, control characters escaped.
  return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
}
