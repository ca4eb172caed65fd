/** Sentences on lines that fit: a terminal by itself would break them within words. */
import { stripVTControlCharacters } from 'node:util';

export interface WrapOptions {
  readonly width: number;
  /** Spaces before all lines but the first, which has its own beginning. */
  readonly indent?: number;
}

/** Words are never broken, nor are colours: a word that is longer has a line of its own. */
export function wrapText(text: string, { width, indent = 0 }: WrapOptions): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (stripVTControlCharacters(longer).length <= width || line === '') {
      line = longer;
      continue;
    }
    lines.push(line);
    line = `${' '.repeat(indent)}${word}`;
  }
  return [...lines, line].join('\n');
}
