// Runs the installed development tools for the scripts beside this file.

import { spawn } from 'node:child_process';

import { repositoryRoot, toolEnvironment } from './node24.mjs';

/** Runs a tool quietly from the repository's root; resolves with its exit code and all it printed. */
export function runTool(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: repositoryRoot,
      env: { ...toolEnvironment(), NO_COLOR: '1', FORCE_COLOR: '0' },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...options,
    });
    let output = '';
    const collect = (chunk) => (output += chunk);
    child.stdout.setEncoding('utf8').on('data', collect);
    child.stderr.setEncoding('utf8').on('data', collect);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      resolve({
        code: code ?? 1,
        output: signal === null ? output : `${output}\nkilled: ${signal}`,
      });
    });
  });
}
