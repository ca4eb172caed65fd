/**
 * The fields of a spec file, each with its form, range and default.
 *
 * What must hold between fields is in `check-spec.ts`.
 */
import { z } from 'zod';
import { describeValue } from './describe-value.ts';
import { parseMemorySize } from './memory-size.ts';

/** The bus listens 10,000 above (Redis Cluster specification) and 65535 is the highest port. */
export const MAX_NODE_PORT = 55_535;

/** Redis documents clusters of up to about 1,000 nodes. */
export const MAX_SHARDS = 1000;

const MAX_REPLICAS = 5;

/** As many as there can be nodes; some rules compare each entry with each other. */
const MAX_LIST_LENGTH = MAX_SHARDS * (1 + MAX_REPLICAS);

/** Less than this, and a node's own bookkeeping leaves no room for data. */
const MIN_MAXMEMORY_BYTES = 1024 ** 2;

/** Below, an ordinary fork pause looks like a failure; above ten minutes, failover is no use. */
const MIN_NODE_TIMEOUT_MS = 500;
const MAX_NODE_TIMEOUT_MS = 600_000;

/** Below a second, gossip itself has not settled; above a day, a person is quicker. */
const MIN_REPAIR_QUIET_MS = 1_000;
const MAX_REPAIR_QUIET_MS = 86_400_000;

/** The longest value of redis.conf in use, a list of save points, is far shorter. */
const MAX_OPTION_VALUE_LENGTH = 4096;

const CLUSTER_NAME = /^[a-z][a-z0-9-]{0,62}$/;
const RELEASE_NAME = /^[a-z][a-z0-9.+~-]{0,62}$/;
const HOST_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/;
const LABEL_NAME = /^[A-Za-z][A-Za-z0-9._/-]{0,62}$/;
const OPTION_NAME = /^[a-z0-9-]{1,64}$/;
// A line end would let a value smuggle in further options; no option needs control characters.
// oxlint-disable-next-line no-control-regex
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f\u0085\u2028\u2029]/u;

const clusterName = field(
  matches(CLUSTER_NAME),
  '1 to 63 of a-z, 0-9 and "-", starting with a letter',
);
const releaseName = field(matches(RELEASE_NAME), 'the name of a release, such as redis-7.0.15');
const hostName = field(matches(HOST_NAME), 'the name of a host, as text');
const flag = field((value): value is boolean => typeof value === 'boolean', 'true or false');
const memorySize = field(
  isMemorySize,
  'a size such as 512mb or 4gb, or a number of bytes, of 1mb or more',
  'leave it out to set no limit',
);
const port = z.custom<number>(isWhole(1, MAX_NODE_PORT), { error: portMessage });

const pinnedNode = z.strictObject(
  {
    host: hostName,
    port,
    shard: optional(wholeNumber(1, MAX_SHARDS)),
    role: optional(
      field(
        (value): value is 'master' | 'replica' => value === 'master' || value === 'replica',
        'master or replica',
      ),
    ),
  },
  { error: (issue) => objectMessage(issue, '{host, port} and, if wanted, shard and role') },
);

const placement = z.strictObject(
  {
    hosts: withDefault(list(hostName, 'host names'), []),
    basePort: withDefault(port, 6379),
    zoneLabel: withDefault(field(matches(LABEL_NAME), 'the name of a host label'), 'zone'),
    allowSameHost: withDefault(flag, false),
    allowWeakQuorum: withDefault(flag, false),
  },
  { error: (issue) => objectMessage(issue, 'fields such as hosts and basePort') },
);

export const specDocument = z.strictObject(
  {
    name: clusterName,
    release: releaseName,
    shards: wholeNumber(1, MAX_SHARDS, 'each shard is one master; use 3 or more'),
    replicas: withDefault(wholeNumber(0, MAX_REPLICAS, 'replicas of each master'), 1),
    maxmemory: optional(memorySize),
    nodeTimeoutMs: withDefault(wholeNumber(MIN_NODE_TIMEOUT_MS, MAX_NODE_TIMEOUT_MS), 5000),
    repair: withDefault(field(isRepairMode, 'manual or auto'), 'manual'),
    repairQuietMs: withDefault(wholeNumber(MIN_REPAIR_QUIET_MS, MAX_REPAIR_QUIET_MS), 300_000),
    placement: optional(placement),
    nodes: withDefault(list(pinnedNode, 'nodes, each {host, port}'), []),
    config: withDefault(field(isPlainObject, 'option names with their values'), {}),
  },
  { error: (issue) => objectMessage(issue, 'a spec with fields such as name and shards') },
);

export type SpecDocument = z.output<typeof specDocument>;

/** What `placement` is when it is left out. */
export const defaultPlacement = placement.parse({});

/** The field names that are known at a place in the document, for suggestions. */
export function knownFields(path: readonly (string | number)[]): readonly string[] {
  if (path.length === 0) return Object.keys(specDocument.shape);
  if (path[0] === 'placement') return Object.keys(placement.shape);
  return path[0] === 'nodes' ? Object.keys(pinnedNode.shape) : [];
}

/** What is wrong with the name of an option; undefined if nothing is. */
export function optionNameProblem(name: string): string | undefined {
  if (OPTION_NAME.test(name)) return undefined;
  return `${describeValue(name)} is no option name; expected a-z, 0-9 and "-", as in redis.conf`;
}

/** The value as redis.conf takes it, or what is wrong with it. */
export function readOptionValue(
  value: unknown,
): { readonly value: string } | { readonly problem: string } {
  if (typeof value === 'boolean') return { value: value ? 'yes' : 'no' };
  if (typeof value === 'number' && Number.isFinite(value)) return { value: String(value) };
  const expected = 'expected text, a number, or true/false; write "" for an empty value';
  if (typeof value !== 'string') return { problem: `got ${describeValue(value)}; ${expected}` };
  if (CONTROL_CHARACTER.test(value)) {
    return { problem: `${describeValue(value)} has a line end or control character; remove it` };
  }
  if (value.length > MAX_OPTION_VALUE_LENGTH) {
    return { problem: `is ${value.length} characters long; at most ${MAX_OPTION_VALUE_LENGTH}` };
  }
  return { value };
}

function field<T>(accepts: (value: unknown) => value is T, expected: string, hint = '') {
  return z.custom<T>(accepts, { error: (issue) => expectedMessage(issue.input, expected, hint) });
}

function wholeNumber(min: number, max: number, hint = '') {
  return field(isWhole(min, max), `a whole number from ${min} to ${max}`, hint);
}

function list<T extends z.ZodType>(item: T, of: string) {
  return z
    .array(item, { error: (issue) => expectedMessage(issue.input, `a list of ${of}`, '') })
    .max(MAX_LIST_LENGTH, {
      error: ({ input }) =>
        `got ${(input as unknown[]).length} entries; expected at most ${MAX_LIST_LENGTH}`,
    });
}

/** An empty field of YAML reads as null: the same as leaving it out. */
function optional<T extends z.ZodType>(schema: T) {
  return schema.nullish().transform((value) => value ?? undefined);
}

function withDefault<T extends z.ZodType>(schema: T, fallback: z.output<T>) {
  return schema.nullish().transform((value): z.output<T> => value ?? fallback);
}

function matches(pattern: RegExp) {
  return (value: unknown): value is string => typeof value === 'string' && pattern.test(value);
}

function isWhole(min: number, max: number) {
  return (value: unknown): value is number =>
    typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
}

function isRepairMode(value: unknown): value is 'manual' | 'auto' {
  return value === 'manual' || value === 'auto';
}

function isMemorySize(value: unknown): value is string | number {
  const sizeBytes = typeof value === 'string' ? parseMemorySize(value) : value;
  return isWhole(MIN_MAXMEMORY_BYTES, Number.MAX_SAFE_INTEGER)(sizeBytes);
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function expectedMessage(input: unknown, expected: string, hint: string): string {
  const received = input === undefined ? 'is missing' : `got ${describeValue(input)}`;
  return `${received}; expected ${expected}${hint === '' ? '' : ` (${hint})`}`;
}

function portMessage({ input }: { readonly input?: unknown }): string {
  if (!isWhole(MAX_NODE_PORT + 1, 65_535)(input)) {
    return expectedMessage(input, `a port from 1 to ${MAX_NODE_PORT}`, '');
  }
  return (
    `got ${input}; its bus port would be ${input + 10_000}, and 65535 is the highest port: ` +
    `use a port from 1 to ${MAX_NODE_PORT}`
  );
}

function objectMessage(
  issue: { readonly code?: string; readonly input?: unknown },
  expected: string,
): string | undefined {
  // Unknown fields are reported one by one, with a suggestion, by `parse-spec.ts`.
  if (issue.code === 'unrecognized_keys') return undefined;
  return expectedMessage(issue.input, expected, '');
}
