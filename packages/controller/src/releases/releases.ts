/**
 * The releases that clusters can be made of: the built-in catalogue and what operators added.
 * How a release is compiled is the agents' business.
 */
import { findRelease, listReleases, RedroverError, type Build, type Release } from '@redrover/core';

import type { Agents } from '../agents/agents.ts';
import type { BuildExchange } from '../agents/build-exchange.ts';
import type { Hosts } from '../agents/hosts.ts';
import { executeStep } from '../operations/execute-step.ts';
import type { Blobs } from '../store/blobs.ts';
import type { ClusterRecords } from '../store/cluster-records.ts';
import type { ReleaseRecords } from '../store/release-records.ts';
import {
  digestOf,
  nameOf,
  readDigest,
  releaseAtUrl,
  sameRelease,
  toRelease,
} from './release-requests.ts';

export interface ReleasesContext {
  readonly records: ReleaseRecords;
  readonly clusters: ClusterRecords;
  readonly blobs: Blobs;
  readonly exchange: BuildExchange;
  readonly agents: Agents;
  readonly hosts: Hosts;
  readonly incarnation: number;
}

export interface ReleaseDetails {
  readonly release: Release;
  readonly builtIn: boolean;
  readonly builds: readonly Build[];
}

/** What an operator may give beside the source; empty: to be found out. */
export interface GivenRelease {
  readonly name: string;
  readonly sha256: string;
}

export interface UploadHeader extends GivenRelease {
  readonly fileName: string;
  /** 0: not said. */
  readonly sizeBytes: number;
}

/** The largest official archive has 5 MB; with modules and all, some 100. */
const MAX_ARCHIVE_BYTES = 512 * 1024 ** 2;

/** Reads the distribution's index over the network. */
const APT_TIMEOUT_MS = 120_000;

export class Releases {
  readonly #context: ReleasesContext;

  constructor(context: ReleasesContext) {
    this.#context = context;
  }

  /** What operators added comes before the catalogue. */
  async resolve(name: string): Promise<Release> {
    const release = (await this.#context.records.find(name)) ?? findRelease(name);
    if (release !== undefined) return release;
    throw new RedroverError(
      'not-found',
      `release ${name} is not known; \`redrover release ls --all\` lists the built-in ones, ` +
        '`redrover release add` adds one from a URL, a file or apt',
    );
  }

  async describe(name: string): Promise<ReleaseDetails> {
    return this.#detail(await this.resolve(name));
  }

  /** Those that were added, are used or are built; `all`: the whole catalogue as well. */
  async list(all: boolean): Promise<ReleaseDetails[]> {
    const added = await this.#context.records.list();
    const names = new Set(added.map((release) => release.name));
    const used = await this.#usedNames();
    const builtIn = listReleases().filter(({ name }) => {
      if (names.has(name)) return false;
      return all || used.has(name) || this.#context.exchange.listBuilds(name).length > 0;
    });
    return [...added, ...builtIn].map((release) => this.#detail(release));
  }

  async addFromUrl(url: string, given: GivenRelease): Promise<ReleaseDetails> {
    return this.#add(releaseAtUrl(url, given));
  }

  /** Asks a host which version and digest its distribution's source archive has now. */
  async addFromApt(
    apt: { readonly package: string; readonly suite: string },
    given: GivenRelease,
  ): Promise<ReleaseDetails> {
    const expected = readDigest(given.sha256);
    const host = this.#context.hosts.list().find(({ status }) => status === 'online');
    if (host === undefined) {
      throw new RedroverError(
        'unavailable',
        `no host is online to ask for the source of apt:${apt.package}; start an agent first`,
      );
    }
    const what = `looking for the source of apt:${apt.package} on ${host.name}`;
    const { result } = await this.#context.agents.command(
      host.name,
      what,
      { case: 'resolveAptRelease', value: { package: apt.package, suite: apt.suite } },
      { timeoutMs: APT_TIMEOUT_MS },
    );
    if (result.case !== 'aptRelease') {
      throw new RedroverError('internal', `${what}: the agent sent no answer`);
    }
    const { fileName, sha256 } = result.value;
    if (expected !== '' && expected !== sha256) {
      throw new RedroverError(
        'integrity',
        `the distribution's ${fileName} has SHA-256 ${sha256}, and ${expected} was expected`,
      );
    }
    const name = nameOf(given.name, fileName);
    return this.#add(toRelease(name, { kind: 'apt', ...apt }, readDigest(sha256)));
  }

  /**
   * Takes an archive in chunks and records the release once it is complete, verified and durable.
   *
   * @throws RedroverError `integrity` for a wrong digest or length; nothing is kept then.
   */
  async addFromUpload(
    header: UploadHeader,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<ReleaseDetails> {
    const name = nameOf(header.name, header.fileName);
    const expected = digestOf(readDigest(header.sha256), name);
    checkSize(header.sizeBytes);
    const release = toRelease(name, { kind: 'upload', fileName: header.fileName }, expected);
    await this.#refuseOther(release);
    const writer = await this.#context.blobs.begin();
    try {
      for await (const chunk of chunks) {
        checkSize(writer.sizeBytes + chunk.length);
        await writer.write(chunk);
      }
      checkLength(header, writer.sizeBytes);
      await writer.commit((sha256) => {
        if (sha256 === expected) return;
        throw new RedroverError(
          'integrity',
          `${header.fileName} has SHA-256 ${sha256}, and ${expected} was expected for ` +
            `${name.name}; download it again, or give the right --sha256`,
          { context: { sha256, expected } },
        );
      });
    } finally {
      await writer.discard();
    }
    return this.#add(release);
  }

  async remove(name: string): Promise<void> {
    const { records, blobs, exchange } = this.#context;
    const release = await records.find(name);
    if (release === undefined) {
      await this.resolve(name);
      throw new RedroverError(
        'failed-precondition',
        `${name} is built in and was never added; there is nothing to remove`,
      );
    }
    const users = (await this.#context.clusters.list()).filter(
      (cluster) => cluster.layout.release === name,
    );
    if (users.length > 0) {
      const names = users.map((cluster) => cluster.name).join(', ');
      throw new RedroverError('failed-precondition', `${name} is used by cluster ${names}`);
    }
    await records.remove(name);
    await exchange.forgetRelease(name);
    if (release.source.kind !== 'upload') return;
    const others = await records.list();
    if (!others.some(({ sha256 }) => sha256 === release.sha256)) await blobs.remove(release.sha256);
  }

  /** Compiles the release on a host now. */
  async build(
    release: Release,
    host: string,
    options: { readonly onLine: (line: string) => void; readonly signal: AbortSignal },
  ): Promise<Build> {
    const { agents, hosts, exchange, incarnation } = this.#context;
    const step = { kind: 'buildRelease', host, release } as const;
    await executeStep(agents, step, {
      // Of no cluster: it changes nothing that a layout speaks of.
      fence: { incarnation, cluster: '', operationId: '', layoutNumber: 0 },
      password: '',
      preconditions: { nodeId: '', role: '' },
      onProgress: ({ line }) => options.onLine(line),
      signal: options.signal,
    });
    const platform = hosts.find(host)?.facts?.platform;
    const builds = exchange.listBuilds(release.name);
    const build = builds.findLast((candidate) => candidate.platform === platform);
    if (build !== undefined) return build;
    throw new RedroverError('internal', `${host} built ${release.name} but did not hand it over`);
  }

  /** Source archives that must be kept. */
  async listBlobs(): Promise<string[]> {
    const added = await this.#context.records.list();
    const used = (await this.#context.clusters.list()).map((cluster) => cluster.release);
    const uploads = [...added, ...used].filter(({ source }) => source.kind === 'upload');
    return uploads.map((release) => release.sha256);
  }

  async #add(release: Release): Promise<ReleaseDetails> {
    await this.#refuseOther(release);
    await this.#context.records.save(release, Date.now());
    return this.#detail(release);
  }

  async #refuseOther(release: Release): Promise<void> {
    const present = await this.#context.records.find(release.name);
    if (present === undefined || sameRelease(present, release)) return;
    throw new RedroverError(
      'already-exists',
      `${release.name} was added before from another place or with another digest; ` +
        `\`redrover release rm ${release.name}\` removes that one`,
      { context: { presentSha256: present.sha256, sha256: release.sha256 } },
    );
  }

  #detail(release: Release): ReleaseDetails {
    const official = findRelease(release.name);
    return {
      release,
      builtIn: official !== undefined && sameRelease(official, release),
      builds: this.#context.exchange.listBuilds(release.name),
    };
  }

  async #usedNames(): Promise<Set<string>> {
    const clusters = await this.#context.clusters.list();
    return new Set(clusters.map((cluster) => cluster.layout.release));
  }
}

function checkSize(sizeBytes: number): void {
  if (sizeBytes <= MAX_ARCHIVE_BYTES) return;
  throw new RedroverError('invalid-argument', 'a source archive is 512 MiB at the most');
}

function checkLength({ fileName, sizeBytes }: UploadHeader, receivedBytes: number): void {
  if (sizeBytes === 0 || sizeBytes === receivedBytes) return;
  throw new RedroverError(
    'integrity',
    `${fileName} was cut off: ${receivedBytes} of ${sizeBytes} bytes arrived; upload it again`,
  );
}
