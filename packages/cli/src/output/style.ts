/** Colours and weights by meaning. Whether a stream gets any is decided once, here. */
import { styleText } from 'node:util';

type Paint = (text: string) => string;

export interface Style {
  readonly enabled: boolean;
  readonly good: Paint;
  readonly bad: Paint;
  readonly caution: Paint;
  readonly faint: Paint;
  readonly strong: Paint;
  readonly accent: Paint;
}

export interface StyleInput {
  readonly isTerminal: boolean;
  readonly noColor: boolean;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Colours only on a terminal, and not when `--no-color`, a non-empty `NO_COLOR` (no-color.org) or
 * `TERM=dumb` says no.
 */
export function createStyle({ isTerminal, noColor, env }: StyleInput): Style {
  const enabled = isTerminal && !noColor && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
  const paint = (format: Parameters<typeof styleText>[0]): Paint =>
    enabled ? (text) => styleText(format, text, { validateStream: false }) : (text) => text;
  return {
    enabled,
    good: paint('green'),
    bad: paint('red'),
    caution: paint('yellow'),
    faint: paint('dim'),
    strong: paint('bold'),
    accent: paint('cyan'),
  };
}
