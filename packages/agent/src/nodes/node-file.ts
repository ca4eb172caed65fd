/**
 * Reads files of a node's directory. It belongs to the node's user, and the agent may be root: what is
 * not a plain file there (a link to somebody's secret, a pipe that never answers) is not read at all.
 */
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { errnoOf, fileError } from '../files/durable-file.ts';

/** Far more than the nodes.conf of a thousand nodes. */
const MAX_TEXT_BYTES = 16 * 1024 * 1024;

/** The file's text; undefined when there is none, or something that no node would put there. */
export async function readNodeFile(path: string): Promise<string | undefined> {
  return withNodeFile(path, async (file, size) => {
    if (size > MAX_TEXT_BYTES) return undefined;
    return file.readFile('utf8');
  });
}

/** The last bytes of the file as text; undefined as for `readNodeFile`. */
export async function readNodeFileTail(path: string, bytes: number): Promise<string | undefined> {
  return withNodeFile(path, async (file, size) => {
    const length = Math.min(bytes, size);
    const buffer = Buffer.alloc(length);
    const { bytesRead } = await file.read(buffer, 0, length, size - length);
    return buffer.toString('utf8', 0, bytesRead);
  });
}

async function withNodeFile<T>(
  path: string,
  read: (file: FileHandle, size: number) => Promise<T | undefined>,
): Promise<T | undefined> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  let file: FileHandle | undefined;
  try {
    file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const stat = await file.stat();
    return stat.isFile() ? await read(file, stat.size) : undefined;
  } catch (thrown) {
    // ELOOP: a symbolic link; ENXIO: a socket.
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'].includes(errnoOf(thrown))) return undefined;
    throw fileError(thrown, `reading ${path}`);
  } finally {
    await file?.close();
  }
}
