/** How commands join the program: a handler gets a session and says with which code to exit. */
import type { Command } from 'commander';

import type { ExitCode } from '../exit-code.ts';
import type { Session } from './session.ts';

export interface Invocation {
  /** Positional arguments by their order. */
  readonly args: readonly string[];
  /** The command's own options. */
  readonly options: Readonly<Record<string, unknown>>;
}

export type Handler = (session: Session, invocation: Invocation) => Promise<ExitCode>;

/** Makes commander run the handler; what the program does around it is decided by the program. */
export type Attach = (command: Command, handler: Handler) => void;

/** The argument at a place that commander has made sure of. */
export function argumentAt({ args }: Invocation, index: number): string {
  const value = args[index];
  if (value === undefined) throw new TypeError(`argument ${index} is not declared as required`);
  return value;
}

export function textOption({ options }: Invocation, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

export function flagOption({ options }: Invocation, name: string): boolean {
  return options[name] === true;
}
