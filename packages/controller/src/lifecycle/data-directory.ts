/**
 * The controller's data directory: where things are in it, its tokens, and the file that tells
 * others where the controller listens. What is stored in it is `store/`'s business.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { RedroverError } from '@redrover/core';

/** 256 bits: no one guesses it, and it is compared in constant time. */
const TOKEN_BYTES = 32;
/** Shorter ones were typed by hand, and could be guessed. */
const MIN_TOKEN_LENGTH = 16;

export interface Endpoints {
  readonly pid: number;
  /** `host:port` of the listener for the CLI and other clients. */
  readonly api: string;
  readonly agents: string;
  readonly http: string;
}

export interface Tokens {
  readonly api: string;
  readonly agent: string;
}

export class DataDirectory {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Creates it, readable by its owner alone, when it is missing. */
  static async open(path: string): Promise<DataDirectory> {
    const absolute = resolve(path);
    try {
      await mkdir(absolute, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new RedroverError(
        'permission-denied',
        `cannot create the data directory ${absolute}: ${(error as Error).message}; ` +
          'choose another --data directory',
        { cause: error },
      );
    }
    return new DataDirectory(absolute);
  }

  get databaseFile(): string {
    return join(this.path, 'controller.sqlite');
  }

  get blobDirectory(): string {
    return join(this.path, 'blobs');
  }

  /** Reads both tokens; each is created, mode 0600, when it is missing. */
  async readTokens(): Promise<Tokens> {
    return {
      api: await readOrCreateToken(join(this.path, 'api-token')),
      agent: await readOrCreateToken(join(this.path, 'agent-token')),
    };
  }

  /** Atomic: a reader sees the old file, the new one or none, never half of it. */
  async writeEndpoints(endpoints: Endpoints): Promise<void> {
    const path = join(this.path, 'endpoints.json');
    const temporary = `${path}.${process.pid}.tmp`;
    await writeFile(temporary, `${JSON.stringify(endpoints)}\n`);
    await rename(temporary, path);
  }

  async removeEndpoints(): Promise<void> {
    await rm(join(this.path, 'endpoints.json'), { force: true });
  }
}

async function readOrCreateToken(path: string): Promise<string> {
  try {
    // `wx`: a token that exists is never replaced, whoever else starts at the same time.
    await writeFile(path, `${randomBytes(TOKEN_BYTES).toString('hex')}\n`, {
      flag: 'wx',
      mode: 0o600,
      flush: true,
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const token = (await readFile(path, 'utf8')).trim();
  if (token.length < MIN_TOKEN_LENGTH) {
    throw new RedroverError(
      'failed-precondition',
      `${path} holds no usable token (${MIN_TOKEN_LENGTH} characters at least); ` +
        'remove the file to have a new one made',
    );
  }
  return token;
}
