/** A program on a pseudo terminal, by `script` of util-linux: what a person sees, and typing to it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { stripVTControlCharacters } from 'node:util';

import { until } from './until.ts';

export interface TerminalSession {
  /** Everything so far, colours and redraws included. */
  readonly raw: () => string;
  /** The same as text. */
  readonly text: () => string;
  readonly waitFor: (expected: string) => Promise<void>;
  readonly type: (keys: string) => void;
  readonly exitCode: Promise<number>;
}

export const CTRL_C = '\u0003';

const ANSWER_TIMEOUT_MS = 60_000;

export function openTerminal(command: readonly string[], env: NodeJS.ProcessEnv): TerminalSession {
  const line = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  // -e: the program's own exit code; -f: no buffering, or a prompt would never be seen.
  const child = spawn('script', ['-qefc', line, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, TERM: 'xterm', ...env },
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (said += chunk));
  const text = (): string => stripVTControlCharacters(said).replaceAll('\r', '');
  return {
    raw: () => said,
    text,
    waitFor: async (expected) => {
      await until(`"${expected}"`, () => text().includes(expected), ANSWER_TIMEOUT_MS);
    },
    type: (keys) => void child.stdin.write(keys),
    exitCode: once(child, 'close').then(([code]) => Number(code)),
  };
}
