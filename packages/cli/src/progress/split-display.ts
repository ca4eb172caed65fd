/** One display for several operations at once: each says its lines under its name, in its own block. */
import type { Display } from './display.ts';

const GAP = 2;

/** One display for each name; a single one is the display itself. */
export function splitDisplay(display: Display, names: readonly string[]): Display[] {
  if (names.length === 1) return [display];
  const width = Math.max(...names.map((name) => name.length));
  const blocks: (readonly string[])[] = names.map(() => []);
  const showAll = (): void => {
    const lines = blocks.flatMap((block, index) =>
      block.map(
        (line, at) => `${(at === 0 ? (names[index] ?? '') : '').padEnd(width + GAP)}${line}`,
      ),
    );
    if (lines.length === 0) display.clear();
    else display.show(lines);
  };
  return names.map((name, index) => ({
    live: display.live,
    size: () => {
      const room = display.size();
      return { width: room.width - width - GAP, height: Math.floor(room.height / names.length) };
    },
    say: (line) => display.say(`${name.padEnd(width + GAP)}${line}`),
    show: (lines) => {
      blocks[index] = lines;
      showAll();
    },
    clear: () => {
      blocks[index] = [];
      showAll();
    },
  }));
}
