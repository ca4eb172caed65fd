/**
 * Reads a spec file: YAML into a document, the document into a `ClusterSpec`, and every complaint
 * back to the line and column that it is about. What a spec may say is decided in core.
 */
import { RedroverError, formatSpecProblem, parseSpec } from '@redrover/core';
import type { ClusterSpec, SpecProblem } from '@redrover/core';
import { readFileSync } from 'node:fs';
import { LineCounter, isCollection, isMap, isNode, isPair, isScalar, parseDocument } from 'yaml';
import type { Document, Node } from 'yaml';

import type { SourceProblem, SourceText } from './source-problem.ts';

export type ReadSpec =
  | { readonly ok: true; readonly spec: ClusterSpec }
  | { readonly ok: false; readonly problems: readonly SourceProblem[] };

/** A spec is a page at the most; a larger file is something else that was named by mistake. */
const MAX_SPEC_BYTES = 1024 * 1024;

/** `-` is stdin. Errors: `invalid-argument` for a file that cannot be read or is no text. */
export function readSpecText(path: string): SourceText {
  const fileName = path === '-' ? '<stdin>' : path;
  let bytes: Buffer;
  try {
    bytes = readFileSync(path === '-' ? 0 : path);
  } catch (error) {
    const { code = String(error) } = error as NodeJS.ErrnoException;
    throw new RedroverError(
      'invalid-argument',
      `cannot read the spec ${fileName}: ${reason(code)}`,
      {
        cause: error,
      },
    );
  }
  if (bytes.length > MAX_SPEC_BYTES || bytes.includes(0)) {
    throw new RedroverError('invalid-argument', `${fileName} is not a spec: expected YAML text`);
  }
  return { fileName, text: bytes.toString('utf8') };
}

/** Risks that were accepted on the command line, whatever the file says of them. */
export interface SpecOverrides {
  readonly allowSameHost: boolean;
  readonly allowWeakQuorum: boolean;
}

export function readSpec(source: SourceText, overrides: SpecOverrides): ReadSpec {
  const lineCounter = new LineCounter();
  const document = parseDocument(source.text, { lineCounter, prettyErrors: false });
  if (document.errors.length > 0) {
    const problems = document.errors.map(({ pos, message }) => at(lineCounter, pos, message));
    return { ok: false, problems };
  }
  const plain = expand(document);
  if (plain === undefined) {
    return { ok: false, problems: [at(lineCounter, [0, 1], 'its aliases expand to too much')] };
  }
  const parsed = parseSpec(accept(plain.value, overrides));
  if (parsed.ok) return parsed;
  return {
    ok: false,
    problems: parsed.problems.map((each) => locate(document, lineCounter, each)),
  };
}

// A few aliases are honest; more are a bomb that grows on expansion.
const MAX_ALIASES = 100;

/** Undefined for a document whose aliases would expand to more than a spec can be. */
function expand(document: Document): { readonly value: unknown } | undefined {
  try {
    return { value: document.toJS({ maxAliasCount: MAX_ALIASES }) };
  } catch (error) {
    if (error instanceof ReferenceError) return undefined;
    throw error;
  }
}

function accept(plain: unknown, overrides: SpecOverrides): unknown {
  const accepted = Object.entries(overrides).filter(([, value]) => value);
  if (accepted.length === 0 || !isRecord(plain)) return plain;
  const { placement = {} } = plain;
  if (!isRecord(placement)) return plain;
  return { ...plain, placement: { ...placement, ...Object.fromEntries(accepted) } };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function locate(document: Document, lineCounter: LineCounter, problem: SpecProblem): SourceProblem {
  const range = rangeOf(document, problem.path);
  return at(lineCounter, range, formatSpecProblem(problem));
}

/** The innermost part of the path that the text has: a missing field is shown at its parent. */
function rangeOf(document: Document, path: SpecProblem['path']): readonly [number, number] {
  let node: Node | null = document.contents;
  let range = startOf(node);
  for (const part of path) {
    if (!isCollection(node)) break;
    const pair = isMap(node)
      ? node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(part))
      : undefined;
    const value: unknown = pair === undefined ? node.get(part, true) : pair.value;
    const key = isPair(pair) && isNode(pair.key) ? pair.key : undefined;
    if (value === undefined && key === undefined) break;
    node = isNode(value) ? value : null;
    range = rangeOfEntry(key, node) ?? range;
  }
  return range;
}

/** `port: 60000` as a whole; of a larger value only the key, of a list's item only its start. */
function rangeOfEntry(key: Node | undefined, value: Node | null): [number, number] | undefined {
  const start = key?.range?.[0] ?? value?.range?.[0];
  if (start === undefined) return undefined;
  const end = isScalar(value) ? value.range?.[1] : key?.range?.[1];
  return [start, end ?? start + 1];
}

function startOf(node: Node | null): readonly [number, number] {
  const start = node?.range?.[0] ?? 0;
  return [start, start + 1];
}

function at(
  lineCounter: LineCounter,
  [start, end]: readonly [number, number],
  message: string,
): SourceProblem {
  const { line, col } = lineCounter.linePos(start);
  return { line, column: col, length: Math.max(1, end - start), message };
}

function reason(code: string): string {
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EISDIR') return 'it is a directory';
  return code === 'EACCES' ? 'permission denied' : code;
}
