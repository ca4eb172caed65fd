import { parseSpec } from '@redrover/core';
import type { ClusterSpec } from '@redrover/core';
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';

import { runProgram } from '../program/program.ts';
import type { Terminal } from '../program/session.ts';
import { scaleSpec } from './cluster-scale.ts';

/** Runs a command line with nobody at the controller's address. */
async function run(...argv: readonly string[]) {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const env = { REDROVER_CONTROLLER: '127.0.0.1:1', REDROVER_CONFIG: '/nonexistent/config.yaml' };
  const stdin = new PassThrough();
  const terminal = { stdin, stdout, stderr, env } as unknown as Terminal;
  const exitCode = await runProgram([...argv, '--timeout', '2'], terminal);
  return { exitCode, complaint: String(stderr.read() ?? '') };
}

describe('bad input is told with the option, what is expected and what was given', () => {
  const move = ['cluster', 'move-slots', 'shop'];
  test.each([
    [[...move, '--to', 's4'], "required option '--slots <list>' not specified"],
    [[...move, '--slots', '1'], "required option '--to <shard>' not specified"],
    [
      [...move, '--slots', '16384', '--to', 's4'],
      "option '--slots <list>' argument '16384' is invalid. there is no slot 16384;",
    ],
    [
      [...move, '--slots', '9-1', '--to', 's4'],
      "option '--slots <list>' argument '9-1' is invalid. the range 9-1 ends before it starts",
    ],
    [
      [...move, '--slots', '1', '--slots', '1', '--to', 's4'],
      'slot 1 is named twice, in 1 and in 1',
    ],
    [
      ['cluster', 'scale', 'shop'],
      'scale needs to know to what: add --shards COUNT, --replicas COUNT, or both',
    ],
    [
      ['cluster', 'scale', 'shop', '--shards', '0'],
      "option '--shards <count>' argument '0' is invalid. expected a whole number from 1 to 1000.",
    ],
    [
      ['cluster', 'scale', 'shop', '--replicas', '6'],
      "option '--replicas <count>' argument '6' is invalid. expected a whole number from 0 to 5.",
    ],
    [
      ['cluster', 'rebalance', 'shop', '--by', 'bytes'],
      "option '--by <measure>' argument 'bytes' is invalid. Allowed choices are slots, keys, memory",
    ],
    [
      ['cluster', 'rebalance', 'shop', '--weights', 's1'],
      'got "s1"; expected shards with their weights, such as s1=2,s4=0.5.',
    ],
    [
      ['cluster', 'spread', 'shop', '--engine', 'fast'],
      'Allowed choices are auto, migrate, redis-atomic, valkey-atomic',
    ],
    [
      ['cluster', 'repair', 'shop', '--rate', '20'],
      "option '--rate <size/s>' argument '20' is invalid. expected a size a second",
    ],
    [
      ['cluster', 'scale', 'shop', '--shards', '4', '--max-latency', '5'],
      "option '--max-latency <time>' argument '5' is invalid. it has no unit;",
    ],
    [
      ['cluster', 'scale', 'shop', '--shards', '4', '--max-key-bytes', '64tb'],
      'the unit "tb" is unknown',
    ],
  ])('%j', async (argv, complaint) => {
    const result = await run(...argv);
    expect(result.complaint).toContain(complaint);
    expect(result.exitCode).toBe(64);
  });

  test('good input gets as far as to the controller', async () => {
    const result = await run(...move, '--slots', '0-99,200', '--to', 's4', '--fast');
    expect(result.exitCode).toBe(3);
  });
});

describe('a spec that is scaled', () => {
  const wish = {
    replicas: undefined,
    shards: undefined,
    allowSameHost: false,
    allowWeakQuorum: false,
  };

  function specOf(change: object = {}): ClusterSpec {
    const parsed = parseSpec({ name: 'shop', release: 'redis-7.0.15', shards: 3, ...change });
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    return parsed.spec;
  }

  test('keeps all that was not asked about', () => {
    const spec = specOf({ config: { 'maxmemory-policy': 'noeviction' }, maxmemory: '1gb' });
    expect(scaleSpec(spec, { ...wish, shards: 4 })).toEqual({ ...spec, shards: 4 });
    expect(scaleSpec(spec, { ...wish, replicas: 2 })).toEqual({ ...spec, replicas: 2 });
  });

  test('accepts risks by name, and goes on to accept those it had', () => {
    const { placement } = scaleSpec(specOf(), { ...wish, shards: 4, allowWeakQuorum: true });
    expect(placement).toMatchObject({ allowWeakQuorum: true, allowSameHost: false });
    const before = specOf({ placement: { allowSameHost: true } });
    expect(scaleSpec(before, { ...wish, shards: 4 }).placement.allowSameHost).toBe(true);
  });

  test('of two shards is refused in the words of the command line', () => {
    expect(() => scaleSpec(specOf(), { ...wish, shards: 2 })).toThrow(
      /^--shards.*or accept the risk with --allow-weak-quorum/,
    );
    expect(scaleSpec(specOf(), { ...wish, shards: 2, allowWeakQuorum: true }).shards).toBe(2);
  });

  test('of too many nodes is refused', () => {
    expect(() => scaleSpec(specOf(), { ...wish, shards: 1000, replicas: 5 })).toThrow(/6000 nodes/);
  });

  test('that names every node is left to its file', () => {
    const nodes = ['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].map((host) => ({ host, port: 6379 }));
    expect(() => scaleSpec(specOf({ nodes }), { ...wish, shards: 4 })).toThrow(
      /says where every node is \(nodes\).*change its file/,
    );
  });
});
