// Finds the Node 24 that the repository brings along and runs programs under it. Plain JavaScript
// without dependencies, because it runs before anything is installed and under any Node >= 20.
// What to run, and whether it is built, is decided by the callers.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const repositoryRoot = dirname(dirname(fileURLToPath(import.meta.url)));

const REQUIRED_MAJOR = 24;

export function isNode24() {
  return Number(process.versions.node.split('.')[0]) >= REQUIRED_MAJOR;
}

/** Path of the Node 24 that `npm ci` brought, or undefined before that. */
export function findInstalledNode24() {
  const path = join(repositoryRoot, 'node_modules', 'node', 'bin', 'node');
  return existsSync(path) ? path : undefined;
}

/** Path of a Node >= 24: the installed one, else the running one if it is new enough. */
export function findNode24() {
  return findInstalledNode24() ?? (isNode24() ? process.execPath : undefined);
}

/** The environment in which a bare `node` and the installed tools resolve to the repository's own. */
export function toolEnvironment() {
  const bin = join(repositoryRoot, 'node_modules', '.bin');
  return { ...process.env, PATH: `${bin}:${process.env.PATH ?? ''}` };
}

/**
 * Runs a program in the foreground and resolves with the exit code that this process should use.
 * A Ctrl-C reaches the child by itself (same process group), so here it is only outlived; signals
 * that are sent to this process alone are passed on.
 */
export function runInForeground(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'inherit', env: toolEnvironment(), ...options });
    const outlive = () => {};
    const passOn = (signal) => child.kill(signal);
    process.on('SIGINT', outlive);
    process.on('SIGTERM', passOn);
    process.on('SIGHUP', passOn);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      process.off('SIGINT', outlive);
      process.off('SIGTERM', passOn);
      process.off('SIGHUP', passOn);
      resolve(code ?? 128 + (constants.signals[signal] ?? 1));
    });
  });
}
