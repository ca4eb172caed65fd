/**
 * The file of contexts: names for controllers, and which one is current. Which controller a command
 * talks to is decided in `resolve-target.ts`.
 */
import { RedroverError } from '@redrover/core';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';

import { withLock } from '../stack/lock.ts';

export interface Context {
  /** `host:port` of the controller's API. */
  readonly controller: string;
  readonly tokenFile: string | undefined;
}

export interface Config {
  readonly current: string | undefined;
  readonly contexts: Readonly<Record<string, Context>>;
}

const EMPTY: Config = { current: undefined, contexts: {} };

/** `$REDROVER_CONFIG`, else `redrover/config.yaml` in the XDG configuration directory. */
export function configPath(env: NodeJS.ProcessEnv): string {
  if (env['REDROVER_CONFIG']) return env['REDROVER_CONFIG'];
  const base = env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config');
  return join(base, 'redrover', 'config.yaml');
}

/** A missing file is an empty configuration. Errors: `invalid-argument` for a file that is not one. */
export function readConfig(path: string): Config {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return EMPTY;
    throw new RedroverError('permission-denied', `cannot read ${path}: ${String(error)}`, {
      cause: error,
    });
  }
  return toConfig(parseYaml(text, path), path);
}

/** Changes the file from what it is at that moment: two commands at once lose nothing of each other. */
export async function updateConfig(
  path: string,
  change: (config: Config) => Config,
): Promise<void> {
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch (error) {
    throw notWritten(path, error);
  }
  await withLock(`${path}.lock`, async () => writeConfig(path, change(readConfig(path))));
}

/** In one go: nobody ever reads half a file. */
function writeConfig(path: string, config: Config): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, stringify(config), { mode: 0o600 });
    renameSync(temporary, path);
  } catch (error) {
    throw notWritten(path, error);
  }
}

function notWritten(path: string, error: unknown): RedroverError {
  return new RedroverError('permission-denied', `cannot write ${path}: ${String(error)}`, {
    cause: error,
  });
}

export function withContext(config: Config, name: string, context: Context): Config {
  return { ...config, contexts: { ...config.contexts, [name]: context } };
}

export function withCurrent(config: Config, name: string | undefined): Config {
  return { ...config, current: name };
}

export function withoutContext(config: Config, name: string): Config {
  const contexts = Object.fromEntries(
    Object.entries(config.contexts).filter(([each]) => each !== name),
  );
  return { current: config.current === name ? undefined : config.current, contexts };
}

function parseYaml(text: string, path: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    throw new RedroverError(
      'invalid-argument',
      `${path} is not YAML: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
}

function toConfig(value: unknown, path: string): Config {
  if (value === null || value === undefined) return EMPTY;
  const { current, contexts = {} } = value as { current?: unknown; contexts?: unknown };
  if (!isRecord(value) || !isRecord(contexts)) throw malformed(path);
  const entries = Object.entries(contexts).map(([name, context]): [string, Context] => {
    if (!isRecord(context) || typeof context['controller'] !== 'string') throw malformed(path);
    const tokenFile = context['tokenFile'];
    return [
      name,
      {
        controller: context['controller'],
        tokenFile: typeof tokenFile === 'string' ? tokenFile : undefined,
      },
    ];
  });
  return {
    current: typeof current === 'string' ? current : undefined,
    contexts: Object.fromEntries(entries),
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function malformed(path: string): RedroverError {
  return new RedroverError(
    'invalid-argument',
    `${path} is not a file of contexts: expected "current: NAME" and "contexts: {NAME: ` +
      `{controller: HOST:PORT, tokenFile: FILE}}"; mend it, or move it away and run ` +
      '`redrover context set`',
  );
}
