/** Says in one line how a server ended, with its own last words. */
import { readNodeFileTail } from '../nodes/node-file.ts';
import type { NodePaths } from '../nodes/paths.ts';
import type { ExitReport } from './launcher.ts';

/** Enough for the message of a server that refuses its config, or the last lines of its log. */
const TAIL_BYTES = 2_048;
const MAX_LENGTH = 300;

/** `report` is undefined when the process was adopted: then only its absence is known. */
export async function describeExit(
  report: ExitReport | undefined,
  paths: NodePaths,
): Promise<string> {
  if (report?.signal !== undefined && report.signal !== null) return `killed by ${report.signal}`;
  const ending = report === undefined ? 'ended unseen' : `exit code ${report.code ?? '?'}`;
  const words = await lastWords(paths);
  return words === '' ? ending : `${ending}: ${words}`;
}

/** What was printed before the log was opened, if anything was; else the log's last line. */
export async function lastWords(paths: NodePaths): Promise<string> {
  const printed = meaningfulLines(await readTail(paths.stdio));
  if (printed.length > 0) return printed.slice(-4).join(' ').slice(0, MAX_LENGTH);
  return (meaningfulLines(await readTail(paths.log)).at(-1) ?? '').slice(0, MAX_LENGTH);
}

/** The last bytes of a file as text; empty when it cannot be read. */
export async function readTail(path: string, bytes = TAIL_BYTES): Promise<string> {
  // No last words if it cannot be read: the caller does without.
  return (await readNodeFileTail(path, bytes).catch(() => undefined)) ?? '';
}

function meaningfulLines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /[A-Za-z]/.test(line));
}
