/** Where the built programs are, and starting one that outlives its starter. */
import { RedroverError } from '@redrover/core';
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { identifyProcess } from './process-identity.ts';
import type { ProcessIdentity } from './process-identity.ts';

export interface Programs {
  /** Node 24. */
  readonly node: string;
  readonly controller: string;
  readonly agent: string;
}

// What a person needs to see of a program that died; the rest is in its log.
const LOG_TAIL_LINES = 15;

/** The programs of a `dist/` directory. Errors: `failed-precondition` when it is not built. */
export function findPrograms(distDirectory: string, node: string = process.execPath): Programs {
  const programs = {
    node,
    controller: join(distDirectory, 'redrover-controller.mjs'),
    agent: join(distDirectory, 'redrover-agent.mjs'),
  };
  const missing = [programs.controller, programs.agent].find((path) => !existsSync(path));
  if (missing === undefined) return programs;
  throw new RedroverError('failed-precondition', `${missing} is missing: run \`npm run build\``);
}

export interface StartInput {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly logFile: string;
}

/** Starts a program in a session of its own, so that no Ctrl-C meant for its starter reaches it. */
export async function startDetached(input: StartInput): Promise<ProcessIdentity> {
  mkdirSync(dirname(input.logFile), { recursive: true });
  const log = openSync(input.logFile, 'a', 0o640);
  try {
    const child = spawn(input.command, [...input.args], {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: '/',
      env: input.env ?? process.env,
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    const identity = child.pid === undefined ? undefined : identifyProcess(child.pid);
    if (identity !== undefined) return identity;
  } finally {
    closeSync(log);
  }
  throw diedAtStart(input.args[0] ?? input.command, input.logFile);
}

export function diedAtStart(program: string, logFile: string): RedroverError {
  return new RedroverError(
    'failed-precondition',
    `${program} ended at once; its log is ${logFile}`,
    {
      context: { log: tailOf(logFile) },
    },
  );
}

export function tailOf(logFile: string): string {
  try {
    return readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
  } catch {
    // No log is the log of a program that never got so far.
    return '';
  }
}
