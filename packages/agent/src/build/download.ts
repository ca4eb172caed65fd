/**
 * Opens `https:` downloads. Saving and verifying what comes is `digest.ts` and `source.ts`.
 *
 * Certificates are checked against Node's store, to which NODE_EXTRA_CA_CERTS adds; a proxy is
 * used when NODE_USE_ENV_PROXY=1 is set for the agent.
 */
import { RedroverError } from '@redrover/core';

import { errnoOf } from '../files/durable-file.ts';
import type { ByteStream } from './digest.ts';

export interface Download {
  readonly chunks: ByteStream;
  /** As announced; undefined when the server did not say. */
  readonly sizeBytes: number | undefined;
}

export interface DownloadOptions {
  /** How long connecting and the first answer may take, in milliseconds. */
  readonly answerTimeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Follows redirects, to `https:` addresses only. */
export async function openDownload(url: string, options: DownloadOptions): Promise<Download> {
  requireHttps(url, url);
  const response = await request(url, options);
  requireHttps(response.url, url);
  if (!response.ok || response.body === null) {
    await response.body?.cancel();
    throw refusedByServer(url, response.status);
  }
  const length = Number.parseInt(response.headers.get('content-length') ?? '', 10);
  // A compressed transfer announces the length of what is on the wire, not of what we get.
  const encoded = response.headers.get('content-encoding') !== null;
  return {
    chunks: response.body,
    sizeBytes: Number.isNaN(length) || encoded ? undefined : length,
  };
}

async function request(url: string, options: DownloadOptions): Promise<Response> {
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), options.answerTimeoutMs);
  const signals = [deadline.signal, ...(options.signal === undefined ? [] : [options.signal])];
  try {
    // identity: a source archive is compressed already, and its digest is of the bytes as they are.
    return await fetch(url, {
      signal: AbortSignal.any(signals),
      headers: { 'accept-encoding': 'identity' },
    });
  } catch (thrown) {
    if (options.signal?.aborted === true) {
      throw new RedroverError('cancelled', `${url}: the download was stopped on request`);
    }
    if (deadline.signal.aborted) {
      throw new RedroverError(
        'deadline-exceeded',
        `${url}: no answer within ${options.answerTimeoutMs / 1000} s; check the network`,
      );
    }
    throw cannotConnect(url, thrown);
  } finally {
    clearTimeout(timer);
  }
}

function requireHttps(address: string, asked: string): void {
  if (URL.parse(address)?.protocol === 'https:') return;
  throw new RedroverError(
    'invalid-argument',
    address === asked
      ? `${asked}: a source is fetched over https: only`
      : `${asked}: redirected to ${address}, which is not https:`,
  );
}

function refusedByServer(url: string, status: number): RedroverError {
  if (status === 404 || status === 410) {
    return new RedroverError('not-found', `${url}: HTTP status ${status}; check the address`);
  }
  return new RedroverError('unavailable', `${url}: HTTP status ${status}; try again later`);
}

// fetch hides the reason in `cause`; these are OpenSSL's names for a certificate that is not trusted.
const untrustedCodes = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

function cannotConnect(url: string, thrown: unknown): RedroverError {
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  const code = errnoOf(cause) || errnoOf(thrown);
  if (untrustedCodes.has(code)) {
    return new RedroverError(
      'unavailable',
      `${url}: the server's certificate is not trusted (${code}); set NODE_EXTRA_CA_CERTS for ` +
        'the agent to the file with your own authority, if it has one',
      { cause: thrown },
    );
  }
  const detail = code || (cause instanceof Error ? cause.message : String(thrown));
  return new RedroverError(
    'unavailable',
    `${url}: cannot connect (${detail}); on a closed network use an apt: source or upload the archive`,
    { cause: thrown },
  );
}
