/** The options of every command that may move slots: how it is done, not what goes where. */
import { DEFAULT_MOVE_OPTIONS } from '@redrover/core';
import type { MoveOptions } from '@redrover/core';
import type { Command } from 'commander';
import { Option } from 'commander';

import { parseLatencyMs, parseRate, parseSize } from '../input/amounts.ts';
import { flagOption, textOption } from '../program/define-command.ts';
import type { Invocation } from '../program/define-command.ts';

const ENGINES = ['auto', 'migrate', 'redis-atomic', 'valkey-atomic'] as const;

/** A plan surveys the slots that would be moved, on every host that has some. */
export const PLAN_TIMEOUT_MS = 180_000;

export function withMoveOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--engine <engine>',
        'how slots are moved; auto: the best that every node of a move supports',
      )
        .choices(ENGINES)
        .default('auto'),
    )
    .option(
      '--fast',
      'for maintenance windows: hold back for nobody, move more at once (same checks)',
    )
    .addOption(
      new Option(
        '--max-latency <time>',
        'how long one batch may block a node, such as 5ms (default: 1ms while clients are at work on ' +
          'its ends, else and with --fast 50ms)',
      ).argParser(parseLatencyMs),
    )
    .addOption(
      new Option(
        '--rate <size/s>',
        'bytes of keys that each source may send, such as 20mb/s (default: no limit)',
      ).argParser(parseRate),
    )
    .addOption(
      new Option(
        '--max-key-bytes <size>',
        'leave slots with a larger key where they are, such as 64mb (default: what blocks a node ' +
          'for a quarter of its node timeout)',
      ).argParser(parseSize),
    );
}

export function readMoveOptions(invocation: Invocation): MoveOptions {
  const { engine, pace, ...rest } = DEFAULT_MOVE_OPTIONS;
  return {
    engine: (textOption(invocation, 'engine') as MoveOptions['engine'] | undefined) ?? engine,
    pace: flagOption(invocation, 'fast') ? 'fast' : pace,
    maxLatencyMs: numberOption(invocation, 'maxLatency') ?? rest.maxLatencyMs,
    rateBytesPerS: numberOption(invocation, 'rate') ?? rest.rateBytesPerS,
    maxKeyBytes: numberOption(invocation, 'maxKeyBytes') ?? rest.maxKeyBytes,
  };
}

/** Of an option that was parsed; undefined when it was not given. */
export function numberOption({ options }: Invocation, name: string): number | undefined {
  const value = options[name];
  return typeof value === 'number' ? value : undefined;
}
