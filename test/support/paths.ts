/** Where the programs under test and the shared cache of builds are. */
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const repositoryRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export const distDirectory = join(repositoryRoot, 'dist');

/** Compiling Redis takes a minute, so all stacks share a cache: the agents' own, or REDROVER_CACHE. */
export function cacheDirectory(): string {
  const { env } = process;
  if (env['REDROVER_CACHE']) return env['REDROVER_CACHE'];
  if (process.getuid?.() === 0) return '/var/cache/redrover';
  return join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'redrover');
}
