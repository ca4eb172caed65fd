/** Claims a name, a directory and ports for a new playground, so that two at once never collide. */
import { RedroverError } from '@redrover/core';
import { join } from 'node:path';

import { configPath, readConfig } from '../context/config-file.ts';
import { identifyProcess } from '../stack/process-identity.ts';
import type { Programs } from '../stack/programs.ts';
import { createPlaygroundsDirectory, listInstances, writeInstance } from './instance.ts';
import type { Instance } from './instance.ts';
import { withLock } from '../stack/lock.ts';
import { findBasePort } from './ports.ts';
import { stopInstance } from './stop.ts';

export interface ClaimInput {
  readonly playgrounds: string;
  /** Undefined: the first free one of `playground`, `playground-2`, … */
  readonly name: string | undefined;
  readonly addresses: readonly string[];
  readonly portCount: number;
  readonly programs: Programs;
  readonly env: NodeJS.ProcessEnv;
  readonly note: (text: string) => void;
}

const DEFAULT_NAME = 'playground';

/** Errors: `already-exists` when the name that was asked for is running. */
export async function claimInstance(input: ClaimInput): Promise<Instance> {
  createPlaygroundsDirectory(input.playgrounds);
  return withLock(join(input.playgrounds, '.lock'), async () => {
    await cleanLeftovers(input);
    const others = listInstances(input.playgrounds);
    const name = chooseName(
      input.name,
      others.map((other) => other.name),
    );
    const { addresses, portCount: count } = input;
    const basePort = await findBasePort({ addresses, count, reserved: others });
    const record = {
      name,
      owner: identifyProcess(process.pid) ?? null,
      basePort,
      portCount: input.portCount,
      previousContext: readConfig(configPath(input.env)).current ?? null,
    };
    const directory = join(input.playgrounds, name);
    writeInstance(directory, record);
    return { ...record, directory, state: 'running' };
  });
}

async function cleanLeftovers({ playgrounds, programs, env, note }: ClaimInput): Promise<void> {
  for (const instance of listInstances(playgrounds)) {
    if (instance.state !== 'leftover') continue;
    note(`Cleaning up what an earlier playground left (${instance.name})...`);
    await stopInstance({ instance, programs, env });
  }
}

function chooseName(wanted: string | undefined, taken: readonly string[]): string {
  if (wanted !== undefined && taken.includes(wanted)) {
    throw new RedroverError(
      'already-exists',
      `the playground ${wanted} is running: stop it with \`npm run playground -- down --name ` +
        `${wanted}\`, or choose another --name`,
    );
  }
  if (wanted !== undefined) return wanted;
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? DEFAULT_NAME : `${DEFAULT_NAME}-${number}`;
    if (!taken.includes(name)) return name;
  }
}
