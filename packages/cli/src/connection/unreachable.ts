/** Tells "nobody answered at that address" from what a controller said. */
import type { RedroverError } from '@redrover/core';

/**
 * Errors that a controller sent carry its code in the trailers; those that gRPC itself made carry the
 * address and method of the call instead.
 */
export function isUnreachable(error: RedroverError): boolean {
  const madeByGrpc =
    error.context['method'] !== undefined && error.context['address'] !== undefined;
  return madeByGrpc && (error.code === 'unavailable' || error.code === 'deadline-exceeded');
}
