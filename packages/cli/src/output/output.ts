/**
 * Where a command's words go: results on stdout in the format that was asked for, everything else
 * (progress, notes, errors) on stderr. What the words are is decided in `render/`.
 */
import { stringify as toYaml } from 'yaml';

import { safeText } from './safe-text.ts';
import { createStyle } from './style.ts';
import type { Style } from './style.ts';
import { renderTable } from './table.ts';

export const OUTPUT_FORMATS = ['table', 'json', 'yaml'] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

// What a pipe, which has no width, is taken for.
const DEFAULT_WIDTH = 100;

export interface OutputInput {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly env: NodeJS.ProcessEnv;
  readonly format: OutputFormat;
  readonly noColor: boolean;
}

export interface View {
  readonly style: Style;
  readonly width: number;
  readonly table: (columns: readonly string[], rows: readonly (readonly string[])[]) => string;
}

export class Output {
  readonly format: OutputFormat;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  /** For what goes to stdout. */
  readonly view: View;
  /** For what goes to stderr. */
  readonly notes: View;

  constructor(input: OutputInput) {
    this.format = input.format;
    this.stdout = input.stdout;
    this.stderr = input.stderr;
    this.view = createView(input.stdout, input);
    this.notes = createView(input.stderr, input);
  }

  /** Prints a result: the value as JSON or YAML, or the same for people. */
  result(value: unknown, forPeople: (view: View) => string): void {
    if (this.format === 'json') this.print(JSON.stringify(value, undefined, 2));
    else if (this.format === 'yaml') this.print(toYaml(value, { lineWidth: 0 }).trimEnd());
    else this.print(forPeople(this.view));
  }

  print(text: string): void {
    this.stdout.write(`${safeText(text)}\n`);
  }

  note(text: string): void {
    this.stderr.write(`${safeText(text)}\n`);
  }
}

function createView(stream: NodeJS.WriteStream, { env, noColor }: OutputInput): View {
  const style = createStyle({ isTerminal: stream.isTTY, noColor, env });
  // `columns` is 0 on some pseudo terminals.
  const width = stream.columns || DEFAULT_WIDTH;
  return { style, width, table: (columns, rows) => renderTable({ columns, rows, style, width }) };
}
