/** `redrover-controller takeover`: raises the incarnation, so that agents obey a restored copy. */
import { existsSync } from 'node:fs';

import { RedroverError } from '@redrover/core';

import type { ControllerIdentity } from '../store/meta-records.ts';
import { openStore } from '../store/store.ts';
import { DataDirectory } from './data-directory.ts';
import { lockDataDirectory } from './data-lock.ts';

/** @throws RedroverError `failed-precondition` while a controller runs, `not-found` without data. */
export async function takeOver(path: string): Promise<ControllerIdentity> {
  const directory = await DataDirectory.open(path);
  if (!existsSync(directory.databaseFile)) {
    throw new RedroverError(
      'not-found',
      `${directory.path} holds no controller's data; restore the backup there first`,
    );
  }
  const lock = lockDataDirectory(directory.path);
  try {
    const store = openStore(directory.databaseFile);
    try {
      return await store.meta.raiseIncarnation();
    } finally {
      await store.close();
    }
  } finally {
    lock.release();
  }
}
