import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { AgentService } from '@redrover/proto';
import type { Client } from '@redrover/wire';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { ScriptedAgent } from './scripted-agent.ts';
import {
  ControllerProcess,
  dialAgents,
  dialApi,
  scratchDirectory,
  until,
  type ApiClients,
} from './support.ts';

let scratch: ReturnType<typeof scratchDirectory>;
let controller: ControllerProcess;
let api: ApiClients;
let agents: Client<typeof AgentService>;

beforeEach(async () => {
  scratch = scratchDirectory();
  await startAgain();
});

afterEach(async () => {
  api.close();
  agents.close();
  await controller.end();
  scratch.remove();
});

async function startAgain(): Promise<void> {
  controller = await ControllerProcess.start(scratch.path);
  api = dialApi(controller);
  agents = dialAgents(controller);
}

async function killAndStartAgain(): Promise<void> {
  api.close();
  agents.close();
  await controller.end('SIGKILL');
  await startAgain();
}

const archive = randomBytes(700_000);
const sha256 = digestOf(archive);

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

interface Upload {
  readonly fileName?: string;
  readonly name?: string;
  readonly sha256?: string;
  readonly sizeBytes?: number;
  readonly bytes?: Uint8Array;
}

/** In chunks of 256 KiB, as the contract allows. */
function upload(given: Upload) {
  const bytes = given.bytes ?? archive;
  return api.releases.uploadRelease(
    (async function* () {
      const header = {
        name: given.name ?? '',
        fileName: given.fileName ?? 'redis-99.1.2.tar.gz',
        sha256: given.sha256 ?? '',
        sizeBytes: BigInt(given.sizeBytes ?? bytes.length),
      };
      yield { part: { case: 'header' as const, value: header } };
      for (let at = 0; at < bytes.length; at += 256 * 1024) {
        yield { part: { case: 'chunk' as const, value: bytes.subarray(at, at + 256 * 1024) } };
      }
    })(),
  );
}

function blobs(): string[] {
  return readdirSync(join(scratch.path, 'blobs'));
}

async function readBlob(blob: { case: 'sourceSha256' | 'buildId'; value: string }) {
  const chunks: Uint8Array[] = [];
  let head: { sizeBytes: bigint; sha256: string } | undefined;
  for await (const message of agents.downloadBlob({ blob })) {
    head ??= message;
    expect(message.chunk.length).toBeLessThanOrEqual(256 * 1024);
    chunks.push(message.chunk);
  }
  return { ...head, bytes: Buffer.concat(chunks) };
}

test('an uploaded source survives SIGKILL right after the acknowledgement', async () => {
  const { release } = await upload({ sha256 });
  expect(release?.release).toMatchObject({ name: 'redis-99.1.2', version: '99.1.2', sha256 });
  await killAndStartAgain();
  expect((await api.releases.getRelease({ release: 'redis-99.1.2' })).release).toMatchObject({
    builtIn: false,
    release: { source: { source: { case: 'upload', value: { fileName: 'redis-99.1.2.tar.gz' } } } },
  });
  const read = await readBlob({ case: 'sourceSha256', value: sha256 });
  expect(read.sizeBytes).toBe(BigInt(archive.length));
  expect(digestOf(read.bytes)).toBe(sha256);
});

test('a wrong hash is refused, says both digests, and leaves nothing behind', async () => {
  const wrong = 'f'.repeat(64);
  await expect(upload({ sha256: wrong })).rejects.toMatchObject({
    code: 'integrity',
    message: expect.stringMatching(new RegExp(`${sha256}.*${wrong}`)),
    context: { sha256, expected: wrong },
  });
  expect(blobs()).toEqual([]);
  await expect(api.releases.getRelease({ release: 'redis-99.1.2' })).rejects.toMatchObject({
    code: 'not-found',
  });
});

test('a truncated upload is refused and leaves nothing behind', async () => {
  const half = archive.subarray(0, archive.length / 2);
  await expect(upload({ sha256, bytes: half, sizeBytes: archive.length })).rejects.toMatchObject({
    code: 'integrity',
    message: expect.stringContaining('cut off'),
  });
  expect(blobs()).toEqual([]);
});

test('a client that dies in the middle of an upload leaves nothing behind', async () => {
  const abort = new AbortController();
  const sending = api.releases.uploadRelease(
    (async function* () {
      const header = { fileName: 'redis-99.1.2.tar.gz', sha256, sizeBytes: 0n };
      yield { part: { case: 'header' as const, value: header } };
      yield { part: { case: 'chunk' as const, value: archive.subarray(0, 1000) } };
      await until('the first bytes on the disk', () => blobs().length > 0);
      abort.abort();
    })(),
    { signal: abort.signal },
  );
  await expect(sending).rejects.toMatchObject({ code: 'cancelled' });
  await until('the temporary file to be gone', () => blobs().length === 0);
});

test('an archive that the catalogue knows must be the official one', async () => {
  await expect(upload({ fileName: 'redis-7.2.4.tar.gz' })).rejects.toMatchObject({
    code: 'integrity',
  });
  await expect(upload({ fileName: 'redis-99.1.2.tar.gz' })).rejects.toMatchObject({
    code: 'invalid-argument',
    message: expect.stringContaining('--sha256'),
  });
  await expect(upload({ fileName: 'archive.tar.gz', sha256 })).rejects.toMatchObject({
    code: 'invalid-argument',
    message: expect.stringContaining('--name'),
  });
  await expect(upload({ sha256: 'abc' })).rejects.toMatchObject({ code: 'invalid-argument' });
  expect(blobs()).toEqual([]);
});

test('adding the same again changes nothing, another archive of the name is refused', async () => {
  await upload({ sha256 });
  await upload({ sha256 });
  const other = randomBytes(1000);
  await expect(upload({ sha256: digestOf(other), bytes: other })).rejects.toMatchObject({
    code: 'already-exists',
    message: expect.stringContaining('redrover release rm redis-99.1.2'),
  });
  expect(blobs()).toEqual([sha256]);
  await api.releases.removeRelease({ release: 'redis-99.1.2' });
  expect(blobs()).toEqual([]);
  await expect(api.releases.removeRelease({ release: 'redis-99.1.2' })).rejects.toMatchObject({
    code: 'not-found',
  });
});

test('what a crash left half-written, and what nothing refers to, is gone at the next start', async () => {
  await upload({ sha256 });
  const directory = join(scratch.path, 'blobs');
  writeFileSync(join(directory, '.tmp-half'), 'half');
  writeFileSync(join(directory, 'a'.repeat(64)), 'nobody knows me');
  await killAndStartAgain();
  expect(blobs()).toEqual([sha256]);
  expect(digestOf(readFileSync(join(directory, sha256)))).toBe(sha256);
});

test('a URL gives the name, the catalogue the digest', async () => {
  const source = (url: string) => ({ source: { case: 'https' as const, value: { url } } });
  const url = 'https://mirror.example/redis-7.2.4.tar.gz';
  const { release } = await api.releases.addRelease({ source: source(url) });
  expect(release?.release?.name).toBe('redis-7.2.4');
  expect(release?.release?.sha256).toMatch(/^[0-9a-f]{64}$/);
  const refusals = [
    ['http://mirror.example/redis-7.2.4.tar.gz', 'https'],
    ['https://user:pw@mirror.example/redis-7.2.4.tar.gz', 'password'],
    ['https://mirror.example/redis-99.0.0.tar.gz', '--sha256'],
    ['nonsense', 'https'],
  ] as const;
  for (const [wrong, said] of refusals) {
    await expect(api.releases.addRelease({ source: source(wrong) })).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining(said),
    });
  }
  await expect(api.releases.addRelease({})).rejects.toMatchObject({ code: 'invalid-argument' });
});

test('the catalogue is listed on request, and cannot be removed', async () => {
  expect((await api.releases.listReleases({})).releases).toEqual([]);
  const { releases } = await api.releases.listReleases({ all: true });
  const names = releases.map((entry) => entry.release?.name);
  expect(names).toContain('redis-5.0.3');
  expect(releases.every((entry) => entry.builtIn)).toBe(true);
  await expect(api.releases.removeRelease({ release: 'redis-5.0.3' })).rejects.toMatchObject({
    code: 'failed-precondition',
  });
  await expect(api.releases.getRelease({ release: 'redis-1.2.3' })).rejects.toMatchObject({
    code: 'not-found',
    message: expect.stringContaining('redrover release add'),
  });
});

test('apt is asked on a host that is online; its digest must be the expected one', async () => {
  const source = {
    source: { case: 'apt' as const, value: { package: 'redis', suite: 'bookworm' } },
  };
  await expect(api.releases.addRelease({ source })).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('no host is online'),
  });
  const agent = await ScriptedAgent.connect(agents, { host: 'h1' });
  const answer = async () => {
    const { id, command } = await agent.nextCommand('resolveAptRelease');
    expect(command.value).toMatchObject({ package: 'redis', suite: 'bookworm' });
    const value = { version: '7.0.15', fileName: 'redis_7.0.15.orig.tar.gz', sha256 };
    await agent.answer({ id, result: { case: 'aptRelease', value } });
  };
  const wrong = api.releases.addRelease({ source, sha256: 'e'.repeat(64) });
  await Promise.all([answer(), expect(wrong).rejects.toMatchObject({ code: 'integrity' })]);
  const [, { release }] = await Promise.all([answer(), api.releases.addRelease({ source })]);
  expect(release?.release).toMatchObject({ name: 'redis-7.0.15', version: '7.0.15', sha256 });
  agent.drop();
});

const build = {
  id: 'build-1',
  release: 'redis-7.2.4',
  platform: 'linux-x86_64-glibc2.36-debian12',
  provenance: {
    sourceSha256: sha256,
    sourceLocation: 'https://mirror.example/redis-7.2.4.tar.gz',
    compiler: 'gcc 12',
    flags: ['BUILD_TLS=yes'],
    builtOnHost: 'h1',
    builtAt: { seconds: 1n, nanos: 0 },
    durationMs: 1n,
    binaries: { 'redis-server': sha256 },
  },
};

function giveBuild(bytes: Uint8Array, promised: string) {
  return agents.uploadBuild(
    (async function* () {
      yield { build, sha256: promised };
      yield { chunk: bytes };
    })(),
  );
}

test('a build goes from the host that made it to the others, also after a crash', async () => {
  await giveBuild(archive, sha256);
  await killAndStartAgain();
  const read = await readBlob({ case: 'buildId', value: 'build-1' });
  expect([read.sha256, digestOf(read.bytes)]).toEqual([sha256, sha256]);
  const { releases } = await api.releases.listReleases({});
  expect(releases[0]).toMatchObject({ release: { name: 'redis-7.2.4' }, builds: [build] });
});

test('a build that arrives damaged is refused and not offered to anybody', async () => {
  await expect(giveBuild(archive, 'd'.repeat(64))).rejects.toMatchObject({ code: 'integrity' });
  expect(blobs()).toEqual([]);
  await expect(readBlob({ case: 'buildId', value: 'build-1' })).rejects.toMatchObject({
    code: 'not-found',
  });
  const path = { case: 'sourceSha256', value: '../../api-token' } as const;
  await expect(readBlob(path)).rejects.toMatchObject({ code: 'invalid-argument' });
});

test("building on request streams the compiler's lines, then tells the build", async () => {
  const agent = await ScriptedAgent.connect(agents, { host: 'h1' });
  const said: string[] = [];
  const building = (async () => {
    for await (const { event } of api.releases.buildRelease({
      release: 'redis-7.2.4',
      host: 'h1',
    })) {
      said.push(event.case === 'build' ? `build ${event.value.id}` : String(event.value));
    }
  })();
  const { id, command } = await agent.nextCommand('step');
  expect(command).toMatchObject({ value: { fence: { incarnation: 1n, cluster: '' } } });
  for (const line of ['CC server.o', 'LINK redis-server']) {
    await agent.send({ case: 'progress', value: { id, line } });
  }
  await giveBuild(archive, sha256);
  await agent.answer({ id, result: { case: 'step', value: { message: 'built' } } });
  await building;
  expect(said).toEqual(['CC server.o', 'LINK redis-server', 'build build-1']);
  agent.drop();
});

test('a client that leaves a build cancels it on the host', async () => {
  const agent = await ScriptedAgent.connect(agents, { host: 'h1' });
  const abort = new AbortController();
  const call = api.releases.buildRelease(
    { release: 'redis-7.2.4', host: 'h1' },
    { signal: abort.signal },
  );
  const reading = (async () => {
    for await (const message of call) expect(message).toBeUndefined();
  })();
  const { id } = await agent.nextCommand('step');
  abort.abort();
  await expect(reading).rejects.toMatchObject({ code: 'cancelled' });
  await until('the cancel command', () => agent.cancelled.includes(id));
  agent.drop();
});
