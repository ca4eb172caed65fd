import { expect, test } from 'vitest';

import { splitDisplay } from './split-display.ts';

function recorder() {
  const said: string[] = [];
  const frames: (readonly string[])[] = [];
  const display = {
    live: true,
    size: () => ({ width: 79, height: 24 }),
    say: (line: string) => void said.push(line),
    show: (lines: readonly string[]) => void frames.push(lines),
    clear: () => void frames.push([]),
  };
  return { display, said, frames };
}

test('a single operation has the display for itself', () => {
  const { display } = recorder();
  expect(splitDisplay(display, ['shop'])).toEqual([display]);
});

test('each operation has a block under its name, and lines that stay carry it', () => {
  const { display, said, frames } = recorder();
  const [shop, cache] = splitDisplay(display, ['shop', 'cache']);
  shop?.show(['[█] 1/2', 'stop h1:1']);
  cache?.show(['[░] 0/2']);
  shop?.say('failed');
  expect(frames.at(-1)).toEqual(['shop   [█] 1/2', '       stop h1:1', 'cache  [░] 0/2']);
  expect(said).toEqual(['shop   failed']);
});

test('one that ends takes only its own block away', () => {
  const { display, frames } = recorder();
  const [shop, cache] = splitDisplay(display, ['shop', 'cache']);
  shop?.show(['1/2']);
  cache?.show(['0/2']);
  shop?.clear();
  expect(frames.at(-1)).toEqual(['cache  0/2']);
  cache?.clear();
  expect(frames.at(-1)).toEqual([]);
});

test('the room of a display is shared out', () => {
  const { display } = recorder();
  const [shop] = splitDisplay(display, ['shop', 'cache']);
  expect(shop?.size()).toEqual({ width: 72, height: 12 });
});
