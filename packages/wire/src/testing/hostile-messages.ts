/**
 * Random messages of any type straight from its descriptor: every value that the encoding allows, also those that no
 * core type does (unspecified and unknown enum numbers, absent messages, 64-bit extremes, empty oneofs).
 */
import { ScalarType, create } from '@bufbuild/protobuf';
import type { DescField, DescMessage, DescOneof, Message } from '@bufbuild/protobuf';
import * as fc from 'fast-check';

const int32 = fc.oneof(fc.constantFrom(0, -1, 1, 2 ** 31 - 1, -(2 ** 31)), fc.integer());
const uint32 = fc.oneof(fc.constantFrom(0, 1, 65_535, 65_536, 2 ** 32 - 1), fc.nat(20_000));
const text = fc.oneof(
  fc.constantFrom('', 'a', '../../etc', 'h1:6379', '\n', '\u0000', 'a'.repeat(64)),
  fc.string({ unit: 'grapheme' }),
);

const scalars: Partial<Record<ScalarType, fc.Arbitrary<unknown>>> = {
  [ScalarType.STRING]: text,
  [ScalarType.BOOL]: fc.boolean(),
  [ScalarType.INT32]: int32,
  [ScalarType.UINT32]: uint32,
  [ScalarType.INT64]: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  [ScalarType.UINT64]: fc.oneof(
    fc.constant(2n ** 64n - 1n),
    fc.bigInt({ min: 0n, max: 2n ** 54n }),
  ),
  [ScalarType.DOUBLE]: fc.double(),
  [ScalarType.BYTES]: fc.uint8Array(),
};

export function hostileMessage(schema: DescMessage): fc.Arbitrary<Message> {
  const members = schema.members.map((member) => [
    member.localName,
    member.kind === 'oneof' ? oneofValue(member) : fieldValue(member),
  ]);
  return fc
    .record(Object.fromEntries(members) as Record<string, fc.Arbitrary<unknown>>)
    .map((init) => create(schema, init));
}

function oneofValue(oneof: DescOneof): fc.Arbitrary<unknown> {
  const cases = oneof.fields.map((field) =>
    singular(field).map((value) => ({ case: field.localName, value })),
  );
  return fc.oneof({ arbitrary: fc.constant(undefined), weight: 1 }, ...cases);
}

function fieldValue(field: DescField): fc.Arbitrary<unknown> {
  switch (field.fieldKind) {
    case 'list':
      return fc.array(singular(field), { maxLength: 3 });
    case 'map':
      return fc.dictionary(text, singular(field), { maxKeys: 3, noNullPrototype: true });
    case 'message':
      // Mostly present, or nothing below the first level would ever be reached.
      return fc.option(singular(field), { nil: undefined, freq: 10 });
    default:
      return singular(field);
  }
}

function singular(field: DescField): fc.Arbitrary<unknown> {
  if (field.message !== undefined) return hostileMessage(field.message);
  if (field.enum !== undefined) return fc.integer({ min: -1, max: field.enum.values.length });
  const scalar = field.scalar === undefined ? undefined : scalars[field.scalar];
  if (scalar === undefined) throw new Error(`no hostile values for ${field.name}`);
  return scalar;
}
