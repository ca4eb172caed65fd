/** The last lines of a node's log. */
import type { AgentNode } from '../supervise/agent-node.ts';
import { readTail } from '../supervise/exit-reason.ts';

/** 10000 lines of usual length; more is not read for longer ones. */
const MAX_BYTES = 1024 * 1024;
const MAX_LINES = 10_000;

/** What the server printed before it opened its log follows the log: it explains a failed start. */
export async function tailLog(node: AgentNode, lines: number): Promise<string[]> {
  const log = linesOf(await readTail(node.paths.log, MAX_BYTES));
  const printed = linesOf(await readTail(node.paths.stdio));
  return [...log, ...printed].slice(-Math.min(Math.max(1, lines), MAX_LINES));
}

function linesOf(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}
