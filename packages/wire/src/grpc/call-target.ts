/**
 * Where a call goes and with which metadata and deadline: what the four kinds of calls have in common.
 */
import type { DescMethod } from '@bufbuild/protobuf';
import { Metadata } from '@grpc/grpc-js';
import type { CallOptions as GrpcCallOptions, Client, ServiceError } from '@grpc/grpc-js';
import { RedroverError } from '@redrover/core';
import { toMethodDefinition } from './service-definition.ts';
import { fromGrpcError } from './status.ts';

export interface Limits {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}

export interface MethodTarget {
  readonly grpc: Client;
  readonly address: string;
  readonly path: string;
  readonly serialize: (message: object) => Buffer;
  readonly deserialize: (bytes: Buffer) => object;
  metadata(): Metadata;
}

/** One server as one client sees it. */
export class CallTarget {
  readonly #grpc: Client;
  readonly #address: string;
  readonly #token: string | undefined;

  constructor(grpc: Client, address: string, token: string | undefined) {
    this.#grpc = grpc;
    this.#address = address;
    this.#token = token;
  }

  method(method: DescMethod): MethodTarget {
    const definition = toMethodDefinition(method);
    return {
      grpc: this.#grpc,
      address: this.#address,
      path: definition.path,
      serialize: definition.requestSerialize,
      deserialize: definition.responseDeserialize,
      metadata: () => this.#metadata(),
    };
  }

  #metadata(): Metadata {
    const metadata = new Metadata();
    if (this.#token !== undefined) metadata.set('authorization', `Bearer ${this.#token}`);
    return metadata;
  }
}

/** Throws the signal's reason if it is already aborted: grpc-js would dial first. */
export function grpcCallOptions(limits: Limits): GrpcCallOptions {
  if (limits.signal?.aborted === true) throw cancellation(limits.signal);
  return limits.timeoutMs === undefined ? {} : { deadline: Date.now() + limits.timeoutMs };
}

/** Cancels the call when the signal aborts; the returned function ends the watch. */
export function cancelOnAbort(
  call: { cancel(): void },
  signal: AbortSignal | undefined,
): () => void {
  if (signal === undefined) return () => {};
  const cancel = (): void => call.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  return () => signal.removeEventListener('abort', cancel);
}

/** The error of a call that ended: the caller's own reason when the caller cancelled it. */
export function callError(
  error: ServiceError,
  target: MethodTarget,
  signal: AbortSignal | undefined,
): RedroverError {
  const translated = fromGrpcError(error, target);
  return translated.code === 'cancelled' && signal?.aborted === true
    ? cancellation(signal)
    : translated;
}

export function cancellation(signal: AbortSignal): RedroverError {
  if (signal.reason instanceof RedroverError) return signal.reason;
  return new RedroverError('cancelled', 'the call was cancelled', { cause: signal.reason });
}
