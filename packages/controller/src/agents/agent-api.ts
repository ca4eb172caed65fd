/** `redrover.agent.v1.AgentService`: what agents call. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ServerReadableStream, ServerWritableStream } from '@grpc/grpc-js';
import { Controller, Inject, UseFilters, UseGuards } from '@nestjs/common';
import { GrpcMethod, GrpcStreamCall } from '@nestjs/microservices';
import { RedroverError } from '@redrover/core';
import type {
  DownloadBlobRequest,
  DownloadBlobResponse,
  DownloadBlobResponseSchema,
  Hello,
  SessionRequest,
  UploadBuildRequest,
  UploadBuildResponse,
} from '@redrover/proto';
import { buildFromProto, toGrpcError } from '@redrover/wire';
import { EMPTY, type Observable } from 'rxjs';

import { readAll, writeAll } from '../grpc/call-stream.ts';
import { GrpcErrorFilter } from '../grpc/error-filter.ts';
import { AgentTokenGuard } from '../grpc/token-guard.ts';
import { AGENTS, BUILD_EXCHANGE } from '../tokens.ts';
import type { AgentSession, SessionCall } from './agent-session.ts';
import type { Agents } from './agents.ts';
import type { BlobDownload, BuildExchange } from './build-exchange.ts';

/** A peer that dials and says nothing holds a stream; agents say hello at once. */
const HELLO_TIMEOUT_MS = 10_000;

type UploadCall = ServerReadableStream<UploadBuildRequest, UploadBuildResponse>;
type DownloadCall = ServerWritableStream<DownloadBlobRequest, DownloadBlobResponse>;

@Controller()
@UseGuards(AgentTokenGuard)
@UseFilters(GrpcErrorFilter)
export class AgentApi {
  readonly #agents: Agents;
  readonly #exchange: BuildExchange;

  constructor(@Inject(AGENTS) agents: Agents, @Inject(BUILD_EXCHANGE) exchange: BuildExchange) {
    this.#agents = agents;
    this.#exchange = exchange;
  }

  @GrpcStreamCall('AgentService', 'Session')
  async session(call: SessionCall): Promise<void> {
    let session: AgentSession | undefined;
    const fail = (error: unknown): void => {
      if (!call.destroyed) call.emit('error', toGrpcError(RedroverError.from(error)));
    };
    const silence = setTimeout(() => fail(noHello()), HELLO_TIMEOUT_MS);
    // The call may end while a message is being handled; the iteration notices too late.
    call.once('cancelled', () => session?.close('the connection to the agent was lost'));
    try {
      for await (const message of readAll<SessionRequest>(call)) {
        clearTimeout(silence);
        if (session === undefined) session = await this.#agents.open(call, helloOf(message));
        else this.#agents.receive(session, message);
      }
      call.end();
    } catch (error) {
      fail(error);
    } finally {
      clearTimeout(silence);
      if (session !== undefined) await this.#agents.closed(session);
    }
  }

  @GrpcMethod('AgentService', 'DownloadBlob')
  async downloadBlob(
    request: DownloadBlobRequest,
    _metadata: unknown,
    call: DownloadCall,
  ): Promise<Observable<never>> {
    const { blob } = request;
    switch (blob.case) {
      case 'sourceSha256':
        await writeAll(call, toMessages(await this.#exchange.openSource(blob.value)));
        return EMPTY;
      case 'buildId':
        await writeAll(call, toMessages(await this.#exchange.openBuild(blob.value)));
        return EMPTY;
      case undefined:
        throw new RedroverError('invalid-argument', 'DownloadBlob: name a source or a build');
    }
  }

  @GrpcStreamCall('AgentService', 'UploadBuild')
  async uploadBuild(
    call: UploadCall,
    callback: (error: unknown, response?: object) => void,
  ): Promise<void> {
    try {
      const messages = readAll<UploadBuildRequest>(call);
      const first = (await messages.next()).value as UploadBuildRequest | undefined;
      if (first?.build === undefined) {
        throw new RedroverError('invalid-argument', 'UploadBuild: the first message has the build');
      }
      const build = buildFromProto(first.build);
      await this.#exchange.receive(build, first.sha256, chunksOf(first, messages));
      callback(null, {});
    } catch (error) {
      callback(toGrpcError(RedroverError.from(error)));
    }
  }
}

function helloOf({ message }: SessionRequest): Hello {
  if (message.case === 'hello') return message.value;
  throw noHello();
}

function noHello(): RedroverError {
  return new RedroverError('invalid-argument', 'a session begins with a hello');
}

async function* toMessages(
  download: BlobDownload,
): AsyncGenerator<MessageInitShape<typeof DownloadBlobResponseSchema>> {
  const { sha256, sizeBytes } = download;
  // Of its own, so that an empty blob has a first message as well.
  yield { sha256, sizeBytes: BigInt(sizeBytes) };
  for await (const chunk of download.chunks) yield { chunk };
}

async function* chunksOf(
  first: UploadBuildRequest,
  rest: AsyncIterator<UploadBuildRequest>,
): AsyncGenerator<Uint8Array> {
  if (first.chunk.length > 0) yield first.chunk;
  for (;;) {
    const next = await rest.next();
    if (next.done === true) return;
    yield next.value.chunk;
  }
}
