/**
 * The blobs that agents fetch and give: source archives that operators uploaded, and packed builds
 * that one host of a platform compiled for the others.
 */
import { RedroverError, type Build, type SharedBuild } from '@redrover/core';

import type { Blobs } from '../store/blobs.ts';
import type { BuildRecord, BuildRecords } from '../store/build-records.ts';

export interface BlobDownload {
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly chunks: AsyncIterable<Buffer>;
}

/** A stripped build with TLS is some 10 MiB packed; debug symbols make it ten times that. */
const MAX_BUILD_BYTES = 1024 ** 3;

export class BuildExchange {
  readonly #blobs: Blobs;
  readonly #records: BuildRecords;
  /** By build id; the same as in the store, at hand for each turn of an operation. */
  readonly #builds = new Map<string, BuildRecord>();

  constructor(blobs: Blobs, records: BuildRecords) {
    this.#blobs = blobs;
    this.#records = records;
  }

  /** Reads the records; a build whose blob is gone is no longer shared. */
  async load(): Promise<void> {
    for (const record of await this.#records.list()) {
      if (await this.#blobs.has(record.blobSha256)) this.#builds.set(record.build.id, record);
    }
  }

  listShared(): SharedBuild[] {
    return [...this.#builds.values()].map(({ build }) => ({
      id: build.id,
      release: build.release,
      platform: build.platform,
    }));
  }

  listBuilds(release: string): Build[] {
    const builds = [...this.#builds.values()].map((record) => record.build);
    return builds.filter((build) => build.release === release);
  }

  listBlobs(): string[] {
    return [...this.#builds.values()].map((record) => record.blobSha256);
  }

  async forgetRelease(release: string): Promise<void> {
    await this.#records.removeOfRelease(release);
    for (const [id, { build, blobSha256 }] of this.#builds) {
      if (build.release !== release) continue;
      this.#builds.delete(id);
      if (!this.listBlobs().includes(blobSha256)) await this.#blobs.remove(blobSha256);
    }
  }

  async openSource(sha256: string): Promise<BlobDownload> {
    return this.#open(sha256, `source archive ${sha256}`);
  }

  async openBuild(buildId: string): Promise<BlobDownload> {
    const record = this.#builds.get(buildId);
    if (record === undefined) {
      throw new RedroverError('not-found', `the controller does not hold build ${buildId}`);
    }
    return this.#open(record.blobSha256, `build ${buildId}`);
  }

  /**
   * Stores a packed build, durably, before it is announced to other hosts.
   *
   * @throws RedroverError `integrity` if the content is not what `sha256` says; nothing is kept.
   */
  async receive(build: Build, sha256: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const writer = await this.#blobs.begin();
    try {
      for await (const chunk of chunks) {
        await writer.write(chunk);
        if (writer.sizeBytes > MAX_BUILD_BYTES) {
          throw new RedroverError('resource-exhausted', `a packed build is 1 GiB at the most`);
        }
      }
      await writer.commit((actual) => {
        if (actual === sha256) return;
        throw new RedroverError(
          'integrity',
          `build ${build.id} arrived damaged: its SHA-256 is ${actual}, announced was ${sha256}`,
        );
      });
    } finally {
      await writer.discard();
    }
    const record = { build, blobSha256: sha256 };
    await this.#records.save(record, Date.now());
    this.#builds.set(build.id, record);
  }

  async #open(sha256: string, what: string): Promise<BlobDownload> {
    const sizeBytes = await this.#blobs.sizeOf(sha256);
    if (sizeBytes === undefined) {
      throw new RedroverError('not-found', `the controller does not hold the ${what}`);
    }
    return { sha256, sizeBytes, chunks: this.#blobs.read(sha256) };
  }
}
