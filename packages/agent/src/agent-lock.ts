/** One agent for each root: two would start each other's nodes. */
import { join } from 'node:path';
import { RedroverError } from '@redrover/core';
import { ifUnlocked } from './build/machine-lock.ts';
import { ensureDirectory, readIfPresent, writeDurableFile } from './files/durable-file.ts';
import type { AgentPaths } from './nodes/paths.ts';

/**
 * Runs the work while this process alone has the root; the kernel ends the lock with the process.
 *
 * @throws RedroverError `failed-precondition` that names the pid of the agent that has it.
 */
export async function withAgentLock<T>(paths: AgentPaths, work: () => Promise<T>): Promise<T> {
  // Servers run as another user and must get through to their scratch directories below.
  await ensureDirectory(paths.state, { mode: 0o711 });
  const pidFile = join(paths.state, 'agent.pid');
  const done = await ifUnlocked(join(paths.state, 'agent.lock'), async () => {
    // For messages only: on a full disk nodes need an agent all the same.
    await writeDurableFile(pidFile, `${process.pid}\n`, { mode: 0o644 }).catch(() => {});
    return { result: await work() };
  });
  if (done !== undefined) return done.result;
  const pid = (await readIfPresent(pidFile))?.trim() ?? 'unknown';
  throw new RedroverError(
    'failed-precondition',
    `another redrover-agent (pid ${pid}) runs on ${paths.root}; stop it first (its nodes run on), ` +
      'or give this one another --root',
    { context: { pid, root: paths.root } },
  );
}
