/**
 * Random values of every core type that travels, as wide as the types and the documented bounds allow.
 *
 * Each record is typed by the core type, so a field added there does not compile here until it is generated too.
 */
import { RedroverError } from '@redrover/core';
import * as fc from 'fast-check';
import { text, texts } from './field-arbitraries.ts';
import { errorCode } from './shared-arbitraries.ts';

export * from './cluster-arbitraries.ts';
export { slotRange } from './field-arbitraries.ts';
export * from './host-arbitraries.ts';
export * from './observation-arbitraries.ts';
export * from './operation-arbitraries.ts';
export * from './step-arbitraries.ts';

export const error: fc.Arbitrary<RedroverError> = fc
  .tuple(errorCode, text, texts)
  .map(([code, message, context]) => new RedroverError(code, message, { context }));
