/** Prints an error for the operator and picks the exit code. Never a stack trace, unless asked for. */
import { RedroverError } from '@redrover/core';

import { isUnreachable } from '../connection/unreachable.ts';
import { ExitCode } from '../exit-code.ts';
import type { Style } from '../output/style.ts';
import { ReportedUsageError, UsageError } from './usage-error.ts';

export interface ErrorReport {
  readonly text: string;
  readonly exitCode: ExitCode;
}

export interface ReportInput {
  readonly thrown: unknown;
  readonly style: Style;
  readonly env: NodeJS.ProcessEnv;
}

// Context under this key is many lines of somebody else's output, such as a compiler's.
const OUTPUT_KEYS = ['output', 'lines', 'log', 'stderr'];

export function reportError({ thrown, style, env }: ReportInput): ErrorReport {
  const error = RedroverError.from(thrown);
  const exitCode = exitCodeOf(error);
  if (error instanceof ReportedUsageError) return { text: '', exitCode };
  const lines = [`${style.bad('error:')} ${error.message}`, ...nextSteps(error)];
  const output = OUTPUT_KEYS.map((key) => error.context[key]).find((text) => text);
  if (output !== undefined && !error.message.includes(output)) {
    lines.push(
      ...output
        .trimEnd()
        .split('\n')
        .map((line) => style.faint(`  | ${line}`)),
    );
  }
  if (error.code === 'internal') {
    lines.push('This is a defect of Redrover. REDROVER_DEBUG=1 shows where it comes from.');
  }
  if (env['REDROVER_DEBUG'] === '1') lines.push(stackOf(error));
  return { text: lines.join('\n'), exitCode };
}

function exitCodeOf(error: RedroverError): ExitCode {
  if (error instanceof UsageError) return ExitCode.usage;
  return isUnreachable(error) ? ExitCode.unreachable : ExitCode.failed;
}

function nextSteps(error: RedroverError): string[] {
  if (isUnreachable(error)) {
    return [
      'Is it running there (`redrover-controller run --data DIR`)? `redrover context ls` shows the ' +
        'controllers that are known; --controller HOST:PORT names another.',
    ];
  }
  if (error.code === 'unauthenticated') {
    return [
      "Name the controller's token with --token-file (it is DIR/api-token in its --data DIR).",
    ];
  }
  return error.code === 'stale-plan' ? ['Look at a new plan: run the same command again.'] : [];
}

function stackOf(error: RedroverError): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${error.cause.stack}` : '';
  return `${error.stack}${cause}`;
}
