/**
 * One gRPC listener: Nest's own transport, bound to an address of ours, which tells the port that
 * it really got. What is served on it is up to the controllers of `api/` and `agents/`.
 */
import type { DescService } from '@bufbuild/protobuf';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { RedroverError } from '@redrover/core';
import { serverChannelOptions, toPackageDefinition } from '@redrover/wire';
import { ServerGrpc } from '@nestjs/microservices';

import { formatAddress, type ListenAddress } from '../lifecycle/listen-address.ts';

export interface GrpcListenerOptions {
  /** The option that gave the address, for messages. */
  readonly option: string;
  readonly address: ListenAddress;
  /** For example `redrover.api.v1`. */
  readonly packageName: string;
  readonly services: readonly DescService[];
}

type StreamCallHandler = ReturnType<ServerGrpc['createStreamCallMethod']>;

export class GrpcListener extends ServerGrpc {
  readonly #options: GrpcListenerOptions;
  #port = 0;

  constructor(options: GrpcListenerOptions) {
    super({
      package: options.packageName,
      packageDefinition: toPackageDefinition(...options.services),
      url: formatAddress(options.address),
    });
    this.#options = options;
  }

  /** Where it listens, once it does. */
  get boundAddress(): ListenAddress {
    return { host: this.#options.address.host, port: this.#port };
  }

  /** As Nest's, but it keeps the bound port, which Nest throws away. */
  override async createClient(): Promise<Server> {
    const server = new Server(serverChannelOptions());
    const address = formatAddress(this.#options.address);
    this.#port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
        if (error === null) resolve(port);
        else reject(cannotListen(this.#options.option, address, error));
      });
    });
    return server;
  }

  /**
   * Nest's handler of `@GrpcStreamCall` lets a rejection (by a guard, say) go unhandled, which
   * would end the process; here it ends the call.
   */
  override createStreamCallMethod(
    ...args: Parameters<ServerGrpc['createStreamCallMethod']>
  ): StreamCallHandler {
    const [, isResponseStream] = args;
    const original = super.createStreamCallMethod(...args);
    return async (call, callback) => {
      try {
        await original(call, callback);
      } catch (error) {
        // Thrown as the error filter made it: a status already.
        if (isResponseStream) call.emit('error', error);
        else callback(error, null);
      }
    };
  }
}

function cannotListen(option: string, address: string, error: Error): RedroverError {
  return new RedroverError(
    'failed-precondition',
    `${option}: cannot listen on ${address}: ${error.message}; ` +
      'is it in use? Give another port, or 0 for any free one',
    { cause: error },
  );
}
