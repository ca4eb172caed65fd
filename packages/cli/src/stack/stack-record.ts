/**
 * What a stack has started, on disk before anything else is done with it: whoever finds the
 * directory later can stop everything, also after a crash of the process that started it.
 */
import { RedroverError } from '@redrover/core';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { ProcessIdentity } from './process-identity.ts';

export interface StackHost {
  readonly name: string;
  readonly address: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** What a controller writes down when it listens: `host:port` each. */
export interface Endpoints {
  readonly pid: number;
  readonly api: string;
  readonly agents: string;
  readonly http: string;
}

export interface StackRecord {
  readonly hosts: readonly StackHost[];
  /** Of the last controller that listened; its successor gets the same ports. */
  readonly endpoints: Endpoints | undefined;
  readonly controller: ProcessIdentity | undefined;
  /** By host name. */
  readonly agents: Readonly<Record<string, ProcessIdentity>>;
}

export interface StackPaths {
  readonly record: string;
  readonly controllerData: string;
  readonly apiToken: string;
  readonly agentToken: string;
  readonly endpoints: string;
  readonly logs: string;
  readonly hostRoot: (host: string) => string;
  readonly log: (program: string) => string;
}

const EMPTY: StackRecord = { hosts: [], endpoints: undefined, controller: undefined, agents: {} };

export function stackPaths(directory: string): StackPaths {
  const controllerData = join(directory, 'controller');
  const logs = join(directory, 'logs');
  return {
    record: join(directory, 'stack.json'),
    controllerData,
    apiToken: join(controllerData, 'api-token'),
    agentToken: join(controllerData, 'agent-token'),
    endpoints: join(controllerData, 'endpoints.json'),
    logs,
    hostRoot: (host) => join(directory, 'hosts', host),
    log: (program) => join(logs, `${program}.log`),
  };
}

/** A directory without a record has started nothing. Errors: `failed-precondition` for a broken one. */
export function readRecord(directory: string): StackRecord {
  const path = stackPaths(directory).record;
  try {
    return { ...EMPTY, ...(JSON.parse(readFileSync(path, 'utf8')) as Partial<StackRecord>) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return EMPTY;
    throw new RedroverError('failed-precondition', `cannot read ${path}: ${String(error)}`, {
      cause: error,
    });
  }
}

/** What the controller of a process id wrote down; undefined until it listens. */
export function readEndpoints(directory: string, pid: number): Endpoints | undefined {
  try {
    const endpoints = JSON.parse(
      readFileSync(stackPaths(directory).endpoints, 'utf8'),
    ) as Endpoints;
    // A controller that was killed leaves its file behind.
    return endpoints.pid === pid ? endpoints : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

export function writeRecord(directory: string, record: StackRecord): void {
  const path = stackPaths(directory).record;
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, JSON.stringify(record, undefined, 2));
  renameSync(temporary, path);
}
