/** Stops a playground and removes every trace of it: processes, nodes, directory, context. */
import { rmSync } from 'node:fs';

import {
  configPath,
  readConfig,
  updateConfig,
  withCurrent,
  withoutContext,
} from '../context/config-file.ts';
import { stopStack } from '../stack/local-stack.ts';
import { endProcess, isRunning } from '../stack/process-identity.ts';
import type { Programs } from '../stack/programs.ts';
import type { Instance } from './instance.ts';

// The foreground process stops its nodes before it ends.
const OWNER_GRACE_MS = 90_000;

export interface StopInput {
  readonly instance: Pick<Instance, 'name' | 'directory' | 'owner' | 'previousContext'>;
  readonly programs: Programs;
  readonly env: NodeJS.ProcessEnv;
}

/** Doing it twice, or to what a crash left, is the same as doing it once. */
export async function stopInstance({ instance, programs, env }: StopInput): Promise<void> {
  const { owner } = instance;
  if (owner !== null && owner.pid !== process.pid && isRunning(owner)) {
    await endProcess(owner, { graceMs: OWNER_GRACE_MS });
  }
  await stopStack(instance.directory, programs);
  await removeContext(instance, env);
  rmSync(instance.directory, { recursive: true, force: true });
}

async function removeContext(
  { name, previousContext }: StopInput['instance'],
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const path = configPath(env);
  if (readConfig(path).contexts[name] === undefined) return;
  await updateConfig(path, (config) => {
    const without = withoutContext(config, name);
    const previous = previousContext ?? '';
    const canRestore = config.current === name && without.contexts[previous] !== undefined;
    return canRestore ? withCurrent(without, previous) : without;
  });
}
