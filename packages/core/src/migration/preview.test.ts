import { describe, expect, it } from 'vitest';
import { DEFAULT_MOVE_OPTIONS, type SlotSurvey } from '../model/migration.ts';
import type { PreviewInput, PreviewNode } from './move-preview.ts';
import { previewMoves } from './preview.ts';

const SOURCE = 'h1:6379';
const TARGET = 'h4:6379';

function nodeOf(key: string, change: Partial<PreviewNode> = {}): PreviewNode {
  return {
    key,
    exists: true,
    answers: true,
    loading: false,
    product: 'redis',
    version: '7.0.15',
    usedMemoryBytes: 100e6,
    maxmemoryBytes: 1e9,
    openSlots: 0,
    ...change,
  };
}

function surveyOf(change: Partial<SlotSurvey> = {}): SlotSurvey {
  return {
    node: SOURCE,
    slots: [
      { slot: 0, keys: 1000, bytes: 2e6 },
      { slot: 1, keys: 500, bytes: 1e6 },
      { slot: 99, keys: 7, bytes: 7e6 },
    ],
    keysSampled: 1507,
    largestKey: { slot: 1, name: 'cart:9', type: 'hash', bytes: 100_000 },
    complete: true,
    functionLibraries: [],
    ...change,
  };
}

function inputOf(change: Partial<PreviewInput> = {}): PreviewInput {
  return {
    pairs: [
      {
        from: 's1',
        to: 's4',
        source: SOURCE,
        target: TARGET,
        engine: 'migrate',
        slots: [{ start: 0, end: 1 }],
      },
    ],
    nodes: { [SOURCE]: nodeOf(SOURCE), [TARGET]: nodeOf(TARGET, { usedMemoryBytes: 1e6 }) },
    surveys: [surveyOf()],
    options: DEFAULT_MOVE_OPTIONS,
    nodeTimeoutMs: 5000,
    ...change,
  };
}

/** The input with one node changed. */
function withNode(key: string, change: Partial<PreviewNode>): PreviewInput {
  const input = inputOf();
  return { ...input, nodes: { ...input.nodes, [key]: nodeOf(key, change) } };
}

function rulesOf(input: PreviewInput): string[] {
  return previewMoves(input).findings.map(({ rule, severity }) => `${severity} ${rule}`);
}

describe('limits', () => {
  const options = { ...DEFAULT_MOVE_OPTIONS, rateBytesPerS: 1e6, maxKeyBytes: 1e9 };
  const atomic = inputOf().pairs.map((pair) => ({ ...pair, engine: 'valkey-atomic' as const }));

  it('are said to have no effect where servers move slots themselves', () => {
    const { findings } = previewMoves(inputOf({ pairs: atomic, options }));
    expect(findings).toMatchObject([{ rule: 'limits-not-kept', severity: 'warning' }]);
    expect(findings[0]?.message).toContain('--rate, --max-key-bytes would');
    expect(findings[0]?.remedy).toContain('--engine migrate');
  });

  it('are kept by the other engine, and nobody misses them who gave none', () => {
    expect(rulesOf(inputOf({ options }))).toEqual([]);
    expect(rulesOf(inputOf({ pairs: atomic }))).toEqual([]);
  });
});

describe('a preview', () => {
  it('sums up what is in the slots of the pair, and nothing else', () => {
    const { moves, findings, durationMs } = previewMoves(inputOf());
    expect(findings).toEqual([]);
    expect(moves).toEqual([
      {
        from: 's1',
        to: 's4',
        source: SOURCE,
        target: TARGET,
        engine: 'migrate',
        slots: [{ start: 0, end: 1 }],
        keys: 1500,
        bytes: 3e6,
        largestKey: { slot: 1, name: 'cart:9', type: 'hash', bytes: 100_000 },
        blockingMs: 2,
        durationMs: 343,
        complete: true,
      },
    ]);
    expect(durationMs).toBe(343);
  });

  it('refuses a target that would run out of memory', () => {
    const full = withNode(TARGET, { usedMemoryBytes: 9.97e8 });
    expect(rulesOf(full)).toEqual(['critical target-memory']);
    expect(rulesOf(withNode(TARGET, { usedMemoryBytes: 9.97e8, maxmemoryBytes: 0 }))).toEqual([]);
  });

  it('counts all that comes to a target, from whichever source', () => {
    const [pair] = inputOf().pairs;
    if (pair === undefined) return;
    const nearlyFull = withNode(TARGET, { usedMemoryBytes: 9.94e8 });
    expect(rulesOf(nearlyFull)).toEqual([]);
    const second = { ...pair, from: 's2', source: 'h2:6379' };
    const surveys = [surveyOf(), surveyOf({ node: 'h2:6379' })];
    const two = { ...nearlyFull, pairs: [pair, second], surveys };
    expect(rulesOf(two)).toEqual(['critical target-memory']);
  });

  it('leaves the slot of a key that is too large, and says so', () => {
    const largestKey = { slot: 1, name: 'cart:9', type: 'hash', bytes: 300e6 };
    const surveys = [surveyOf({ largestKey })];
    const { findings, moves } = previewMoves(inputOf({ surveys }));
    expect(findings).toMatchObject([{ rule: 'key-too-large', severity: 'warning' }]);
    expect(findings[0]?.message).toBe(
      'Key cart:9 of slot 1 takes 286 MiB, more than the 59.6 MiB that are moved at once. Its ' +
        'slot stays on h1:6379 for you to decide; all others go.',
    );
    expect(moves[0]?.blockingMs).toBe(1250);
    const allowed = { ...DEFAULT_MOVE_OPTIONS, maxKeyBytes: 300e6 };
    expect(rulesOf(inputOf({ surveys, options: allowed }))).toEqual(['critical blocking-too-long']);
  });

  it('says that a key blocks for longer than batches may', () => {
    const largestKey = { slot: 1, name: 'cart:9', type: 'hash', bytes: 2e6 };
    const surveys = [surveyOf({ largestKey })];
    expect(rulesOf(inputOf({ surveys }))).toEqual(['info blocking-over-bound']);
  });

  it('says what it does not know', () => {
    expect(rulesOf(inputOf({ surveys: [] }))).toEqual(['warning survey-missing']);
    const sampled = inputOf({ surveys: [surveyOf({ complete: false })] });
    expect(rulesOf(sampled)).toEqual(['info survey-incomplete']);
    expect(previewMoves(sampled).moves[0]?.complete).toBe(false);
  });

  it.each([
    [{ answers: false }, 'critical move-node-unreachable'],
    [{ loading: true }, 'critical move-node-loading'],
    [{ openSlots: 3 }, 'warning open-slots-in-move'],
    [{ version: '6.2.14' }, 'critical target-older'],
    [{ product: 'valkey' as const, version: '9.1.2' }, 'critical target-older'],
  ])('warns of a target that is %o', (change, expected) => {
    expect(rulesOf(withNode(TARGET, change))).toEqual([expected]);
  });

  it('moves to a newer release, and to another patch of the same', () => {
    expect(rulesOf(withNode(TARGET, { version: '7.2.6' }))).toEqual([]);
    expect(rulesOf(withNode(TARGET, { version: '7.0.2' }))).toEqual([]);
  });

  it('names the functions that a new master gets, and says nothing of one that is there', () => {
    const surveys = [surveyOf({ functionLibraries: ['carts'] })];
    const input = withNode(TARGET, { exists: false });
    const { findings } = previewMoves({ ...input, surveys });
    expect(findings.map(({ rule, evidence }) => [rule, evidence])).toContainEqual([
      'functions-copied',
      ['carts'],
    ]);
    expect(rulesOf(inputOf({ surveys }))).toEqual([]);
  });

  it('lets sources of one target share its time, and adds up what one source gives', () => {
    const [pair] = inputOf().pairs;
    if (pair === undefined) return;
    const other = { ...pair, to: 's5', target: 'h5:6379' };
    expect(previewMoves(inputOf({ pairs: [pair, other] })).durationMs).toBe(686);
  });
});
