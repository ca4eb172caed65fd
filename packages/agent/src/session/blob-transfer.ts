/** Source archives and packed builds between this host and the controller, in chunks. */
import { createReadStream } from 'node:fs';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { RedroverError, type Build } from '@redrover/core';
import {
  AgentService,
  type DownloadBlobRequestSchema,
  type UploadBuildRequestSchema,
} from '@redrover/proto';
import { buildToProto, createClient, type Client } from '@redrover/wire';
import type { PackedBuild } from '../build/pack.ts';
import type { BlobDownload } from '../build/source.ts';

/** As the contract says (`DownloadBlobResponse.chunk`). */
const CHUNK_BYTES = 256 * 1024;

export type AgentClient = Client<typeof AgentService>;

type BlobName = NonNullable<MessageInitShape<typeof DownloadBlobRequestSchema>['blob']>;

/** Opens a client to the controller; each transfer has one of its own and closes it. */
export type OpenClient = () => Promise<AgentClient>;

export function openClient(controller: string, readToken: () => Promise<string>): OpenClient {
  return async () => createClient(AgentService, controller, { token: await readToken() });
}

/** The first message is awaited, so that a missing blob is an error here and not in the middle. */
export async function downloadBlob(
  open: OpenClient,
  blob: BlobName,
  signal?: AbortSignal,
): Promise<BlobDownload> {
  const client = await open();
  const responses = client.downloadBlob({ blob }, { signal })[Symbol.asyncIterator]();
  let first;
  try {
    first = await responses.next();
  } catch (thrown) {
    client.close();
    throw thrown;
  }
  if (first.done === true) {
    client.close();
    throw new RedroverError('not-found', `the controller sent nothing for ${blob.value}`);
  }
  const { sizeBytes, sha256, chunk } = first.value;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    try {
      yield chunk;
      for (;;) {
        const next = await responses.next();
        if (next.done === true) return;
        yield next.value.chunk;
      }
    } finally {
      await responses.return?.();
      client.close();
    }
  }
  return { chunks: chunks(), sizeBytes: Number(sizeBytes), sha256 };
}

/** Gives a packed build to the controller. */
export async function uploadBuild(
  open: OpenClient,
  packed: PackedBuild,
  signal: AbortSignal,
): Promise<void> {
  const client = await open();
  try {
    await client.uploadBuild(uploadParts(packed.build, packed), { signal });
  } finally {
    client.close();
  }
}

async function* uploadParts(
  build: Build,
  { path, sha256 }: PackedBuild,
): AsyncGenerator<MessageInitShape<typeof UploadBuildRequestSchema>> {
  yield { build: buildToProto(build), sha256 };
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
    yield { chunk: chunk as Buffer };
  }
}
