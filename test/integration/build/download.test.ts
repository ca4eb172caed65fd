import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';

import type { Release } from '@redrover/core';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { createScratchDirectory, type Scratch } from '../../support/scratch.ts';
import { listLeftovers, openWorkshop, type BuildHost, type Workshop } from './build-host.ts';
import { makeTinySource, type TinySource } from './tiny-source.ts';

let authority: Scratch;
let server: Server;
let answer: RequestListener;
let workshop: Workshop;
let source: TinySource;
let host: BuildHost;
const trusted = getCACertificates('default');

beforeAll(async () => {
  authority = await createScratchDirectory('tls');
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => join(authority.path, name));
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const files = ['-keyout', key ?? '', '-out', cert ?? ''];
  await execa('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject, ...files]);
  const pems = await Promise.all([key, cert].map((path) => readFile(path ?? '', 'utf8')));
  server = createServer({ key: pems[0], cert: pems[1] }, (request, response) =>
    answer(request, response),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // As NODE_EXTRA_CA_CERTS does at the start of an agent.
  setDefaultCACertificates([...trusted, pems[1] ?? '']);
});
afterAll(async () => {
  setDefaultCACertificates(trusted);
  server.close();
  server.closeAllConnections();
  await authority.remove();
});

beforeEach(async () => {
  workshop = await openWorkshop();
  source = await makeTinySource(workshop.scratch.path);
  host = await workshop.openHost('h1', { stallTimeoutMs: 1_000 });
});
afterEach(async () => {
  await workshop.scratch.remove();
});

function released(path = '/redis-9.0.1.tar.gz'): Release {
  const { port } = server.address() as AddressInfo;
  return { ...source.release, source: { kind: 'https', url: `https://127.0.0.1:${port}${path}` } };
}

async function send(): Promise<Buffer> {
  return readFile(source.archive);
}

test('a source is downloaded, verified and built', async () => {
  answer = async (_, response) => {
    response.end(await send());
  };
  const build = await host.builder.build(released());
  expect(build.provenance.sourceLocation).toMatch(/^https:\/\/127\.0\.0\.1:\d+\/redis-9\.0\.1/);
});

test('redirects are followed to https: addresses only', async () => {
  answer = async (request, response) => {
    if (request.url === '/moved') response.writeHead(302, { location: '/redis' }).end();
    else response.end(await send());
  };
  await host.builder.build(released('/moved'));
  const plain = { ...released(), source: { kind: 'https' as const, url: 'http://127.0.0.1/x' } };
  const other = await workshop.openHost('h2', {
    cacheDirectory: join(workshop.scratch.path, 'other'),
  });
  await expect(other.builder.build(plain)).rejects.toMatchObject({
    code: 'invalid-argument',
    message: expect.stringContaining('https: only'),
  });
});

/** Fails with the code and message, and leaves neither source nor build behind. */
async function expectRefused(building: Promise<unknown>, error: object): Promise<void> {
  await expect(building).rejects.toMatchObject(error);
  expect(await listLeftovers(host)).toEqual([]);
}

describe('a download that fails is an error that says why, and leaves nothing', () => {
  test('another file than registered', async () => {
    answer = (_, response) => response.end('another file');
    await expectRefused(host.builder.build(released()), {
      code: 'integrity',
      message: expect.stringContaining(`was registered with ${source.release.sha256}`),
    });
  });

  test('cut off by the server', async () => {
    answer = async (_, response) => {
      const content = await send();
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, 100), () => response.destroy());
    };
    await expectRefused(host.builder.build(released()), {
      code: 'unavailable',
      message: expect.stringContaining('broke off'),
    });
  });

  test('cut off without a length to tell: the digest does', async () => {
    answer = async (_, response) => {
      response.write((await send()).subarray(0, 100));
      response.end();
    };
    await expectRefused(host.builder.build(released()), { code: 'integrity' });
  });

  test('stalled after the first bytes', async () => {
    answer = (_, response) => void response.write('first bytes');
    await expectRefused(host.builder.build(released()), {
      code: 'deadline-exceeded',
      message: expect.stringContaining('nothing was received for 1 s'),
    });
  });

  test('no answer at all', async () => {
    answer = () => undefined;
    await expectRefused(host.builder.build(released()), {
      code: 'deadline-exceeded',
      message: expect.stringContaining('no answer within 1 s'),
    });
  });

  test('stopped on request', async () => {
    const stop = new AbortController();
    answer = (_, response) => {
      response.write('first bytes');
      setImmediate(() => stop.abort());
    };
    await expectRefused(host.builder.build(released(), { signal: stop.signal }), {
      code: 'cancelled',
    });
  });

  test.each([
    [404, 'not-found'],
    [503, 'unavailable'],
  ])('HTTP status %i', async (status, code) => {
    answer = (_, response) => response.writeHead(status).end();
    await expectRefused(host.builder.build(released()), {
      code,
      message: expect.stringContaining(`HTTP status ${status}`),
    });
  });

  test('nobody there', async () => {
    const url = 'https://127.0.0.1:9/redis-9.0.1.tar.gz';
    const release: Release = { ...source.release, source: { kind: 'https', url } };
    await expectRefused(host.builder.build(release), { code: 'unavailable' });
  });

  test('a certificate that nobody vouches for', async () => {
    const mine = getCACertificates('default');
    setDefaultCACertificates(trusted);
    server.closeAllConnections();
    try {
      // By name, so that no connection of the tests before is used again.
      const { port } = server.address() as AddressInfo;
      const url = `https://localhost:${port}/redis-9.0.1.tar.gz`;
      const release: Release = { ...source.release, source: { kind: 'https', url } };
      await expectRefused(host.builder.build(release), {
        code: 'unavailable',
        message: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
      });
    } finally {
      setDefaultCACertificates(mine);
    }
  });
});
