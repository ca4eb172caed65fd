/** Sends a source archive to the controller in chunks, with progress. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { UploadReleaseRequestSchema } from '@redrover/proto';
import { createReadStream } from 'node:fs';

import { formatBytes } from '../output/units.ts';
import { bar, createDisplay } from '../progress/display.ts';
import type { Session } from '../program/session.ts';

export interface Upload {
  readonly path: string;
  readonly fileName: string;
  readonly sizeBytes: number;
  readonly name: string;
  readonly sha256: string;
}

/** The limit of a chunk on the wire. */
const CHUNK_BYTES = 256 * 1024;

const BAR_WIDTH = 24;

/** Errors: `integrity` when the digest is not the expected one, and what reading the file throws. */
export async function uploadRelease({ api, output }: Session, upload: Upload) {
  const display = createDisplay(output.stderr, output.notes);
  const total = formatBytes(upload.sizeBytes);
  display.say(`Uploading ${upload.fileName} (${total})...`);
  try {
    const { release } = await api.releases.uploadRelease(
      requests(upload, (sentBytes) => {
        const share = bar(sentBytes / upload.sizeBytes, BAR_WIDTH);
        display.show([`${output.notes.style.accent(share)} ${formatBytes(sentBytes)} of ${total}`]);
      }),
    );
    return release;
  } finally {
    display.clear();
  }
}

type Request = MessageInitShape<typeof UploadReleaseRequestSchema>;

async function* requests(
  { path, fileName, sizeBytes, name, sha256 }: Upload,
  onSent: (sentBytes: number) => void,
): AsyncGenerator<Request> {
  const header = { name, fileName, sizeBytes: BigInt(sizeBytes), sha256 };
  yield { part: { case: 'header', value: header } };
  let sentBytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
    const bytes = chunk as Buffer<ArrayBuffer>;
    yield { part: { case: 'chunk', value: bytes } };
    sentBytes += bytes.length;
    onSent(sentBytes);
  }
}
