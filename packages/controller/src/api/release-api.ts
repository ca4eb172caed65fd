/** `redrover.api.v1.ReleaseService`: releases, uploads, and builds on request. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ServerReadableStream, ServerWritableStream } from '@grpc/grpc-js';
import { Controller, Inject, UseFilters, UseGuards } from '@nestjs/common';
import { GrpcMethod, GrpcStreamCall } from '@nestjs/microservices';
import { RedroverError } from '@redrover/core';
import type {
  AddReleaseRequest,
  AddReleaseResponseSchema,
  BuildReleaseRequest,
  BuildReleaseResponse,
  BuildReleaseResponseSchema,
  GetReleaseRequest,
  GetReleaseResponseSchema,
  ListReleasesRequest,
  ListReleasesResponseSchema,
  ReleaseSummarySchema,
  RemoveReleaseRequest,
  UploadReleaseRequest,
  UploadReleaseResponse,
} from '@redrover/proto';
import {
  buildToProto,
  numberFromProto,
  releaseSourceFromProto,
  releaseToProto,
  requiredField,
  toGrpcError,
} from '@redrover/wire';
import { EMPTY, type Observable } from 'rxjs';

import { readAll, writeAll } from '../grpc/call-stream.ts';
import { GrpcErrorFilter } from '../grpc/error-filter.ts';
import { ApiTokenGuard } from '../grpc/token-guard.ts';
import { OperationFeed } from '../operations/operation-feed.ts';
import type { ReleaseDetails, Releases, UploadHeader } from '../releases/releases.ts';
import { RELEASES } from '../tokens.ts';

type UploadCall = ServerReadableStream<UploadReleaseRequest, UploadReleaseResponse>;
type BuildCall = ServerWritableStream<BuildReleaseRequest, BuildReleaseResponse>;
type BuildMessage = MessageInitShape<typeof BuildReleaseResponseSchema>;

/** What lines of a compiler are in an operation, and are not by themselves. */
const OF_A_BUILD = { stepKey: '', fraction: undefined, move: undefined };

@Controller()
@UseGuards(ApiTokenGuard)
@UseFilters(GrpcErrorFilter)
export class ReleaseApi {
  readonly #releases: Releases;

  constructor(@Inject(RELEASES) releases: Releases) {
    this.#releases = releases;
  }

  @GrpcMethod('ReleaseService', 'ListReleases')
  async listReleases(
    request: ListReleasesRequest,
  ): Promise<MessageInitShape<typeof ListReleasesResponseSchema>> {
    return { releases: (await this.#releases.list(request.all)).map(summaryToProto) };
  }

  @GrpcMethod('ReleaseService', 'GetRelease')
  async getRelease(
    request: GetReleaseRequest,
  ): Promise<MessageInitShape<typeof GetReleaseResponseSchema>> {
    return { release: summaryToProto(await this.#releases.describe(request.release)) };
  }

  @GrpcMethod('ReleaseService', 'AddRelease')
  async addRelease(
    request: AddReleaseRequest,
  ): Promise<MessageInitShape<typeof AddReleaseResponseSchema>> {
    return { release: summaryToProto(await this.#add(request)) };
  }

  @GrpcStreamCall('ReleaseService', 'UploadRelease')
  async uploadRelease(
    call: UploadCall,
    callback: (error: unknown, response?: object) => void,
  ): Promise<void> {
    try {
      const messages = readAll<UploadReleaseRequest>(call);
      const header = headerOf((await messages.next()).value);
      const added = await this.#releases.addFromUpload(header, chunksOf(messages, call));
      callback(null, { release: summaryToProto(added) });
    } catch (error) {
      callback(toGrpcError(RedroverError.from(error)));
    }
  }

  @GrpcMethod('ReleaseService', 'RemoveRelease')
  async removeRelease(request: RemoveReleaseRequest): Promise<object> {
    await this.#releases.remove(request.release);
    return {};
  }

  @GrpcMethod('ReleaseService', 'BuildRelease')
  async buildRelease(
    request: BuildReleaseRequest,
    _metadata: unknown,
    call: BuildCall,
  ): Promise<Observable<never>> {
    const { release } = await this.#releases.describe(request.release);
    const abort = new AbortController();
    const lines = new OperationFeed();
    const watch = lines.watch([]);
    const build = this.#releases.build(release, request.host, {
      onLine: (line) => lines.publish({ kind: 'progress', line, ...OF_A_BUILD }),
      signal: abort.signal,
    });
    build.then(
      () => lines.end(),
      () => lines.end(),
    );
    const toMessages = async function* (): AsyncGenerator<BuildMessage> {
      for await (const event of watch.events) {
        if (event.kind === 'progress') yield { event: { case: 'line', value: event.line } };
      }
      yield { event: { case: 'build', value: buildToProto(await build) } };
    };
    await writeAll(call, toMessages(), () => abort.abort());
    return EMPTY;
  }

  async #add(request: AddReleaseRequest): Promise<ReleaseDetails> {
    const { name, sha256 } = request;
    const source = releaseSourceFromProto(requiredField(request.source, 'source'));
    switch (source.kind) {
      case 'https':
        return this.#releases.addFromUrl(source.url, { name, sha256 });
      case 'apt':
        return this.#releases.addFromApt(source, { name, sha256 });
      case 'upload':
        throw new RedroverError('invalid-argument', 'a file is added with UploadRelease');
    }
  }
}

function headerOf(message: UploadReleaseRequest | undefined): UploadHeader {
  if (message?.part.case !== 'header') {
    throw new RedroverError('invalid-argument', 'an upload begins with its header');
  }
  const { name, fileName, sizeBytes, sha256 } = message.part.value;
  return { name, fileName, sha256, sizeBytes: numberFromProto(sizeBytes, 'size_bytes') };
}

async function* chunksOf(
  messages: AsyncIterable<UploadReleaseRequest>,
  call: UploadCall,
): AsyncGenerator<Uint8Array> {
  for await (const { part } of messages) {
    if (part.case !== 'chunk') {
      throw new RedroverError('invalid-argument', 'after the header an upload has chunks alone');
    }
    yield part.value;
  }
  // A client that dies in the middle must not look like one that has said all.
  if (call.cancelled) throw new RedroverError('cancelled', 'the upload was broken off');
}

function summaryToProto(details: ReleaseDetails): MessageInitShape<typeof ReleaseSummarySchema> {
  return {
    release: releaseToProto(details.release),
    builtIn: details.builtIn,
    builds: details.builds.map(buildToProto),
  };
}
