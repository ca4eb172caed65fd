import { expect, test } from 'vitest';

import { createStyle } from '../output/style.ts';
import { readSpec } from './read-spec.ts';
import { renderProblems } from './source-problem.ts';

const nothing = { allowSameHost: false, allowWeakQuorum: false };
const style = createStyle({ isTerminal: false, noColor: true, env: {} });

const valid = `name: shop
release: redis-7.0.15
shards: 3
replicas: 1
placement:
  hosts: [h1, h2, h3]
`;

function problemsOf(text: string) {
  const read = readSpec({ fileName: 'spec.yaml', text }, nothing);
  return read.ok ? [] : read.problems;
}

test('a valid spec is read', () => {
  const read = readSpec({ fileName: 'spec.yaml', text: valid }, nothing);
  expect(read).toMatchObject({ ok: true, spec: { name: 'shop', shards: 3 } });
});

test('malformed YAML is shown with line and column', () => {
  const [problem] = problemsOf('name: shop\nshards: [3\nreplicas: 1\n');
  expect(problem).toMatchObject({ line: 3, column: expect.any(Number) });
});

test('a tab as indentation is shown where it is', () => {
  const [problem] = problemsOf('placement:\n\thosts: [h1]\n');
  expect(problem?.line).toBe(2);
});

test.each([
  ['an unknown field', valid.replace('shards: 3', 'shards: 3\nshardz: 3'), 4, 1, 'shardz'],
  ['no shards', valid.replace('shards: 3', 'shards: 0'), 3, 1, 'shards'],
  ['an unknown field in a map', `${valid}  colour: red\n`, 7, 3, 'placement.colour'],
  [
    'a port out of range',
    `${valid}nodes:\n  - { host: h1, port: 60000 }\n`,
    8,
    17,
    'nodes[0].port',
  ],
])('%s is shown with line and column', (_, text, line, column, path) => {
  const problems = problemsOf(text);
  expect(problems).toContainEqual(
    expect.objectContaining({ line, column, message: expect.stringContaining(path) }),
  );
});

test('a duplicate key is shown at its second place', () => {
  const [problem] = problemsOf(valid.replace('shards: 3', 'shards: 3\nshards: 4'));
  expect(problem).toMatchObject({ line: 4, column: 1 });
});

test('all problems are shown at once', () => {
  const text = valid.replace('shards: 3', 'shards: many').replace('replicas: 1', 'replicas: 9');
  expect(problemsOf(text).map(({ line }) => line)).toEqual([3, 4]);
});

test('an empty file is a problem, not a crash', () => {
  expect(problemsOf('')).toHaveLength(1);
  expect(problemsOf('just text')).toHaveLength(1);
});

test('flags of the command line override the file', () => {
  const two = valid.replace('shards: 3', 'shards: 2');
  expect(readSpec({ fileName: 'f', text: two }, nothing).ok).toBe(false);
  const read = readSpec({ fileName: 'f', text: two }, { ...nothing, allowWeakQuorum: true });
  expect(read).toMatchObject({ ok: true, spec: { placement: { allowWeakQuorum: true } } });
});

test('a problem is printed as a compiler does', () => {
  const source = { fileName: 'spec.yaml', text: valid.replace('shards: 3', 'shards: 0') };
  const read = readSpec(source, nothing);
  if (read.ok) throw new Error('read');
  const lines = renderProblems(source, read.problems, style).split('\n');
  expect(lines[0]).toMatch(/^spec\.yaml:3:1: error: shards: got 0/);
  expect(lines.slice(1)).toEqual(['    3 | shards: 0', '      | ^^^^^^^^^']);
});

test('aliases that explode are refused, and quickly', () => {
  const rows = ['a: &a [x, x, x, x, x, x, x, x, x, x]'];
  for (let level = 1; level < 12; level += 1) {
    const before = String.fromCharCode(96 + level);
    const name = String.fromCharCode(97 + level);
    rows.push(`${name}: &${name} [${Array.from({ length: 10 }, () => `*${before}`).join(', ')}]`);
  }
  expect(problemsOf(rows.join('\n')).length).toBeGreaterThan(0);
});
