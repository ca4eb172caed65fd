/** Which controller a command talks to, and with which token: flags, then environment, then the file. */
import { RedroverError } from '@redrover/core';
import { readFileSync } from 'node:fs';

import { configPath, readConfig } from './config-file.ts';
import type { Context } from './config-file.ts';

export interface TargetFlags {
  readonly context: string | undefined;
  readonly controller: string | undefined;
  readonly tokenFile: string | undefined;
}

export interface Target {
  /** `host:port`. */
  readonly address: string;
  readonly token: string | undefined;
}

// Where `redrover-controller run` listens when it is told nothing.
const DEFAULT_CONTROLLER = '127.0.0.1:7400';

/** Errors: `not-found` for a context that is not there, `permission-denied` for an unreadable token. */
export function resolveTarget(flags: TargetFlags, env: NodeJS.ProcessEnv): Target {
  const context = chooseContext(flags, env);
  const address =
    flags.controller ?? (env['REDROVER_CONTROLLER'] || context?.controller) ?? DEFAULT_CONTROLLER;
  const tokenFile = flags.tokenFile ?? (env['REDROVER_TOKEN_FILE'] || context?.tokenFile);
  return {
    address: checkAddress(address),
    token: tokenFile === undefined ? undefined : readToken(tokenFile),
  };
}

function chooseContext(flags: TargetFlags, env: NodeJS.ProcessEnv): Context | undefined {
  const path = configPath(env);
  const asked = flags.context ?? (env['REDROVER_CONTEXT'] || undefined);
  const config = readConfig(path);
  const name = asked ?? config.current;
  if (name === undefined) return undefined;
  const context = config.contexts[name];
  if (context !== undefined) return context;
  // A current context that is gone must not stand in the way of explicit flags.
  if (asked === undefined && flags.controller !== undefined) return undefined;
  const known = Object.keys(config.contexts).join(', ') || 'none';
  throw new RedroverError(
    'not-found',
    `there is no context "${name}" in ${path} (known: ${known}); ` +
      'see `redrover context ls`, or name a controller with --controller HOST:PORT',
  );
}

/** Errors: `invalid-argument` unless it is `host:port`. */
export function checkAddress(address: string): string {
  const port = Number(/:(\d{1,5})$/.exec(address)?.[1]);
  if (port >= 1 && port <= 65535) return address;
  throw new RedroverError(
    'invalid-argument',
    `"${address}" is not the address of a controller: expected HOST:PORT, such as 127.0.0.1:7400`,
  );
}

function readToken(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new RedroverError(
      'permission-denied',
      `cannot read the token file ${path} (${reason}); run as the user who owns it, or name ` +
        'another with --token-file',
      { cause: error },
    );
  }
}
