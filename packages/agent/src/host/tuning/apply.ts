/** Checks and applies the host's tuning. Each item stands for itself: one that cannot be changed does not stop the rest. */
import { writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

import type { TuningItem } from '@redrover/core';

import { ensureDirectory, errnoOf, fileError, writeDurableFile } from '../../files/durable-file.ts';
import { hostPaths, type HostPaths } from '../host-paths.ts';
import { assessTuning } from './assess.ts';
import { planTuning, type TuningAction } from './plan.ts';
import { readTuning } from './readings.ts';

/** What is found, what is wanted, and what could be done about it; changes nothing. */
export async function checkTuning(paths: HostPaths = hostPaths()): Promise<TuningItem[]> {
  return assessTuning(await readTuning(paths), paths);
}

/** Applies what can be applied and reads all of it back; `before` holds what was found at first. */
export async function applyTuning(paths: HostPaths = hostPaths()): Promise<TuningItem[]> {
  const readings = await readTuning(paths);
  const before = new Map(assessTuning(readings, paths).map(({ name, found }) => [name, found]));
  const failures = new Map<string, unknown>();
  for (const action of planTuning(readings, paths)) {
    const failure = await perform(action);
    if (failure !== undefined) for (const name of action.items) failures.set(name, failure);
  }
  const items = assessTuning(await readTuning(paths), paths);
  return items.map((item) => ({
    ...(item.state === 'ok' ? item : explain(item, failures.get(item.name))),
    before: before.get(item.name),
  }));
}

/** Answers what was thrown: it belongs to the items of the action, not to the caller. */
async function perform(action: TuningAction): Promise<unknown> {
  try {
    switch (action.kind) {
      case 'setValue':
        await writeFile(action.path, `${action.value}\n`);
        return undefined;
      case 'writeFile':
        await ensureDirectory(dirname(action.path));
        await writeDurableFile(action.path, action.content, { mode: action.mode });
        return undefined;
    }
  } catch (thrown) {
    return thrown;
  }
}

function explain(item: TuningItem, failure: unknown): TuningItem {
  if (failure === undefined) return item;
  const cause = failure instanceof Error && failure.cause !== undefined ? failure.cause : failure;
  const hint = fileError(failure, `setting ${item.name}`).message;
  switch (errnoOf(cause)) {
    case 'EROFS':
      return { ...item, state: 'read-only', hint };
    case 'EACCES':
    case 'EPERM':
      return { ...item, state: process.getuid?.() === 0 ? 'read-only' : 'needs-root', hint };
    default:
      return { ...item, hint };
  }
}
