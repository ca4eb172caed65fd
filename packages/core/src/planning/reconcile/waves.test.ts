import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MoveEngine } from '../../model/migration.ts';
import { chooseWave, type Candidate, type Hold } from './waves.ts';

function move(pair: string, change: Partial<Candidate> = {}): Candidate {
  const [source = '', target = ''] = pair.split('>');
  const slots = [{ start: 0, end: 9 }];
  return { source, target, engine: 'migrate', slots, isOpen: false, ...change };
}

function chosen(candidates: readonly Candidate[], held: readonly Hold[] = []): string[] {
  return chooseWave(candidates, held).map(({ source, target }) => `${source}>${target}`);
}

describe('a wave', () => {
  it('has no node as source and target, also not beside what is at work', () => {
    expect(chosen([move('a>b'), move('b>c'), move('c>a')])).toEqual(['a>b']);
    expect(chosen([move('a>b'), move('c>d')], [move('b>x')])).toEqual(['c>d']);
    expect(chosen([move('a>b'), move('c>d')], [move('x>c')])).toEqual(['a>b']);
  });

  it('has each source once where keys are moved one by one, and three sources to a target', () => {
    expect(chosen([move('a>x'), move('a>y')])).toEqual(['a>x']);
    const four = ['a>x', 'b>x', 'c>x', 'd>x'].map((pair) => move(pair));
    expect(chosen(four)).toEqual(['a>x', 'b>x', 'c>x']);
    expect(chosen(four, [move('e>x'), move('f>x')])).toEqual(['a>x']);
  });

  it('has several targets of a source where the server streams to each', () => {
    const engine: MoveEngine = 'valkey-atomic';
    const pairs = ['a>w', 'a>x', 'a>y', 'a>z'].map((pair) => move(pair, { engine }));
    expect(chosen(pairs)).toEqual(['a>w', 'a>x', 'a>y']);
  });

  it('has disjoint pairs where a server takes part in one task at a time', () => {
    const engine: MoveEngine = 'redis-atomic';
    const pairs = ['a>x', 'b>x', 'a>y', 'b>y'].map((pair) => move(pair, { engine }));
    expect(chosen(pairs)).toEqual(['a>x', 'b>y']);
    expect(chosen(pairs, [move('c>x')])).toEqual(['a>y']);
    expect(chosen([move('b>x')], [move('a>x', { engine })])).toEqual([]);
  });

  it('finishes what is half open first, then takes the largest', () => {
    const large = move('a>y', { slots: [{ start: 0, end: 99 }] });
    expect(chosen([move('a>x'), large])).toEqual(['a>y']);
    expect(chosen([large, move('a>x', { isOpen: true })])).toEqual(['a>x']);
  });

  it('spreads over targets before it fills one', () => {
    const pairs = ['a>x', 'b>x', 'c>y', 'd>y'].map((pair) => move(pair));
    const first = chooseWave(pairs, [move('e>x'), move('f>x')]);
    expect(first.map(({ target }) => target).toSorted()).toEqual(['x', 'y', 'y']);
  });

  it('keeps its rules for any moves and any that are at work, and is never empty without cause', () => {
    const names = fc.constantFrom('a', 'b', 'c', 'd', 'e');
    const engines = fc.constantFrom<MoveEngine>('migrate', 'redis-atomic', 'valkey-atomic');
    const pair = fc
      .record({ source: names, target: names, engine: engines, isOpen: fc.boolean() })
      .filter(({ source, target }) => source !== target)
      .map((each): Candidate => ({ ...each, slots: [{ start: 0, end: 9 }] }));
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 12 }), (candidates) => {
        const held: Candidate[] = [];
        // Waves follow each other as moves end: all get their turn.
        let left = candidates;
        for (let round = 0; round < candidates.length && left.length > 0; round += 1) {
          const wave = chooseWave(left, held);
          expect(wave.length).toBeGreaterThan(0);
          const sources = new Set(wave.map(({ source }) => source));
          expect(wave.filter(({ target }) => sources.has(target))).toEqual([]);
          for (const atomic of wave.filter(({ engine }) => engine === 'redis-atomic')) {
            const ends = new Set([atomic.source, atomic.target]);
            const others = wave.filter((other) => other !== atomic);
            expect(
              others.filter(({ source, target }) => ends.has(source) || ends.has(target)),
            ).toEqual([]);
          }
          left = left.filter((candidate) => !wave.includes(candidate));
        }
        expect(left).toEqual([]);
      }),
    );
  });
});
