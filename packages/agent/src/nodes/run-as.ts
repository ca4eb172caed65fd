/** Which system user nodes run as: never root. */
import { RedroverError } from '@redrover/core';
import type { FileOwner } from '../files/durable-file.ts';
import { ensureSystemUser } from '../host/system-user.ts';

export type RunAs = FileOwner;

/**
 * As root: the named system user, created when missing. Otherwise undefined: nodes run as whoever
 * runs the agent.
 */
export async function resolveRedisUser(name: string): Promise<RunAs | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const user = await ensureSystemUser(name);
  if (user.uid !== 0) return user;
  throw new RedroverError(
    'invalid-argument',
    `--redis-user ${name} is root; name an unprivileged user for the nodes`,
  );
}
