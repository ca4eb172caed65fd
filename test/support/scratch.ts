/** Temporary directories that nodes can get to, whichever user they run as. */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Scratch {
  readonly path: string;
  readonly remove: () => Promise<void>;
}

export async function createScratchDirectory(purpose: string): Promise<Scratch> {
  const path = await mkdtemp(join(tmpdir(), `redrover-${purpose}-`));
  await chmod(path, 0o755);
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 3 }) };
}
