/**
 * Function libraries belong to no slot, so nothing that moves slots takes them along: a master that
 * gets its first slots would not know the functions that its clients call (Redis documentation,
 * "Redis functions", in a cluster they have to be loaded on every master).
 */
import { RedroverError } from '@redrover/core';
import type { Link } from './link/link.ts';
import { encode } from './link/resp-command.ts';
import { ReplyFault, type Reply, replyText } from './link/resp-parser.ts';
import { errorOfReply } from '../redis/reply-codes.ts';

interface Library {
  readonly name: string;
  readonly code: Buffer;
}

/** A library may have megabytes of code. */
const TIMEOUT_MS = 10_000;

/**
 * Loads on the target what it lacks; what it has is left as it is. Answers notes for people, of
 * libraries that differ. Before Redis 7.0 there are none, and nothing is done.
 *
 * @param willReplace the servers themselves are about to give the target what the source has.
 *
 * @throws RedroverError when the target refuses a library.
 */
export async function copyFunctions(
  source: Link,
  target: Link,
  willReplace = false,
): Promise<readonly string[]> {
  const wanted = await listLibraries(source);
  if (wanted === undefined || wanted.length === 0) return [];
  const present = new Map((await listLibraries(target))?.map(({ name, code }) => [name, code]));
  const notes: string[] = [];
  const fate = willReplace ? `replaced by that of ${source.key}` : 'left as it is';
  for (const library of wanted) {
    const known = present.get(library.name);
    if (known === undefined) await load(target, library);
    else if (!known.equals(library.code)) notes.push(differing(library, target, fate));
  }
  return notes;
}

function differing({ name }: Library, target: Link, fate: string): string {
  return `the function library ${name} was another one on ${target.key}, and was ${fate}`;
}

export async function listLibraryNames(link: Link): Promise<string[]> {
  return (await listLibraries(link, []))?.map(({ name }) => name) ?? [];
}

/** Undefined: the server has no functions. */
async function listLibraries(
  link: Link,
  options: readonly 'WITHCODE'[] = ['WITHCODE'],
): Promise<Library[] | undefined> {
  const [reply = null] = await link.exchange({
    commands: [encode('FUNCTION', 'LIST', ...options)],
    what: 'listing functions',
    timeoutMs: TIMEOUT_MS,
  });
  if (reply instanceof ReplyFault) {
    if (reply.code === 'ERR') return undefined;
    throw errorOfReply(reply.message, `listing functions on ${link.key}`);
  }
  return Array.isArray(reply) ? (reply as readonly Reply[]).map(readLibrary) : undefined;
}

/** Names and values take turns. */
function readLibrary(reply: Reply): Library {
  const fields = Array.isArray(reply) ? (reply as readonly Reply[]) : [];
  const valueOf = (wanted: string): Reply =>
    fields[
      fields.findIndex((field, index) => index % 2 === 0 && replyText(field) === wanted) + 1
    ] ?? null;
  const code = valueOf('library_code');
  return { name: replyText(valueOf('library_name')), code: Buffer.isBuffer(code) ? code : NO_CODE };
}

const NO_CODE = Buffer.alloc(0);

async function load(target: Link, { name, code }: Library): Promise<void> {
  const [reply = null] = await target.exchange({
    commands: [encode('FUNCTION', 'LOAD', code)],
    what: 'loading a function library',
    timeoutMs: TIMEOUT_MS,
  });
  if (!(reply instanceof ReplyFault)) return;
  // Another task to the same target may have been quicker.
  const now = await listLibraries(target);
  if (now?.some((library) => library.name === name && library.code.equals(code))) return;
  throw new RedroverError(
    'failed-precondition',
    `${target.key} refuses the function library ${name}: ${reply.message}; load it there by hand, ` +
      'or remove it from the source, then go on',
    { context: { library: name } },
  );
}
