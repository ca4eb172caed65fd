/**
 * How a lab that a person has started is told what to do from other terminals: a socket in a
 * directory of its owner, one line of JSON there and one back.
 */
import { once } from 'node:events';
import { existsSync, rmSync, statSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface Request {
  readonly verb: string;
  readonly args: readonly string[];
}

export type Answer = { readonly text: string } | { readonly error: string };

export interface Control {
  readonly close: () => Promise<void>;
}

const PREFIX = 'redrover-lab-';
const SOCKET = 'socket';

/** Listens until it is closed. The directory is for its owner alone: so mkdtemp makes it. */
export async function openControl(handle: (request: Request) => Promise<string>): Promise<Control> {
  const directory = await mkdtemp(join(tmpdir(), PREFIX));
  const server = createServer((socket) => {
    // Whoever asked may be gone before the answer.
    socket.on('error', () => {});
    createInterface({ input: socket }).once('line', (line) => {
      void answer(line, handle).then((text) => socket.end(`${JSON.stringify(text)}\n`));
    });
  });
  server.listen(join(directory, SOCKET));
  await once(server, 'listening');
  return {
    close: async () => {
      server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Asks the one lab that runs. Errors: none runs, several do, or what the lab could not do. */
export async function askLab(request: Request): Promise<string> {
  const socket = await connectToLab();
  try {
    const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
    socket.write(`${JSON.stringify(request)}\n`);
    const { value } = await lines.next();
    if (value === undefined) throw new Error('the lab ended before it answered');
    const answered = JSON.parse(value) as Answer;
    if ('error' in answered) throw new Error(answered.error);
    return answered.text;
  } finally {
    socket.destroy();
  }
}

async function answer(line: string, handle: (request: Request) => Promise<string>) {
  try {
    return { text: await handle(JSON.parse(line) as Request) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

async function connectToLab(): Promise<Socket> {
  const names = (await readdir(tmpdir())).filter((name) => name.startsWith(PREFIX));
  const found: Socket[] = [];
  for (const name of names) {
    const socket = await tryConnect(join(tmpdir(), name));
    if (socket !== undefined) found.push(socket);
  }
  const [only, ...others] = found;
  for (const socket of others) socket.destroy();
  if (only === undefined) throw new Error('no lab runs: start one with `npm run lab`');
  if (others.length === 0) return only;
  only.destroy();
  throw new Error('several labs run: end all but one of them');
}

async function tryConnect(directory: string): Promise<Socket | undefined> {
  const path = join(directory, SOCKET);
  if (!existsSync(path) || statSync(directory).uid !== process.getuid?.()) return undefined;
  const socket = createConnection(path);
  try {
    await once(socket, 'connect');
    return socket;
  } catch {
    // Its owner was killed; the lab went with it, this directory did not.
    rmSync(directory, { recursive: true, force: true });
    return undefined;
  }
}
