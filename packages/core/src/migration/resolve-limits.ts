/**
 * What the operator said about a move, made into the limits that the mover keeps to. No check of the protocol is among
 * them: those are in `rules/` and have no switch.
 */
import { RedroverError } from '../errors.ts';
import type { MoveOptions } from '../model/migration.ts';
import { BLOCKING_BYTES_PER_MS } from './move-costs.ts';
import type { BatchLimits, LimitName, MoveLimits } from './move-limits.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/** Below this a batch is all overhead. */
const BATCH_BYTES_MIN = 4 * KIB;
/** Keys of 100 bytes, the slow case, go at about this much in one MIGRATE: the first batch shall keep the bound too. */
const START_BYTES_PER_MS = 16 * KIB;
/** Throughput grows up to 256 KiB to 1 MiB a MIGRATE (7.0.15); large values go faster than small keys. What is on its way can be lost with the target. */
const BATCH_BYTES_MAX = { gentle: 256 * KIB, fast: 8 * MIB };
/** More names in one command grow its parsing and its reply, not its speed. */
const BATCH_KEYS_MAX = { gentle: 500, fast: 1000 };
/** One slot at a time moved 26 k keys/s, 4 at once 54 k, 8 at once 57 k (2 cores, 7.0.15). While clients are at work, one. */
const SLOTS_IN_FLIGHT = 8;
/** Several times what is in flight. A pause waits for slots in flight alone: the others of the window are closed again. */
const WINDOW_SLOTS = { gentle: 16, fast: 64 };
/**
 * Each window makes the target sync its nodes.conf, which holds it up for some milliseconds: not many times a second. What
 * is in an open window is what clients may miss, and write anew, when a replica takes the source's place (ADR 16).
 */
const WINDOW_KEYS = { gentle: 100, fast: 20_000 };
/** Who is not there misses nothing: then windows are about as large as in the fast pace. */
const IDLE_WINDOWS = { gentle: 4, fast: 1 };
/** Most of the time for clients, where there are some: then their 99th percentile is what it was and half a block. */
const BUSY_SHARE = { gentle: 0.3, fast: 1 };
/** A sync takes longer than a batch, so what it holds up has to be rare to stay out of the 99th percentile. */
const HANDOVER_SHARE = { gentle: 0.05, fast: 1 };
/** A batch or two: what a promotion of the target's replica could lose while a slot is on its way. */
const MAX_REPLICA_LAG_BYTES = { gentle: 256 * KIB, fast: 8 * MIB };
/** Where clients are at work, a block is what some of them wait for; where none are, it is nothing that anybody notices. */
const BLOCK_BOUND_MS = { gentle: 1, fast: 50 };

/** Below half of the node timeout, with room for the node to answer pings before and after (redis MIGRATE page). */
const MIGRATE_TIMEOUT_SHARE = 0.4;
/** A key that blocks a node for longer risks a failover when a second one follows. */
const LARGEST_BLOCK_SHARE = 0.25;
/** The timeout of MIGRATE is for each read and write, of which there are many. */
const COMMAND_TIMEOUT_FACTOR = 4;
const COMMAND_TIMEOUT_MIN_MS = 10_000;

/**
 * Limits of one move.
 *
 * @throws RedroverError `invalid-argument` for a bound that the node timeout does not allow.
 */
export function resolveLimits(options: MoveOptions, nodeTimeoutMs: number): MoveLimits {
  const { pace } = options;
  const migrateTimeoutMs = Math.max(1, Math.floor(nodeTimeoutMs * MIGRATE_TIMEOUT_SHARE));
  const derivedKeyBytes = Math.floor(nodeTimeoutMs * LARGEST_BLOCK_SHARE * BLOCKING_BYTES_PER_MS);
  const maxKeyBytes = options.maxKeyBytes === 0 ? derivedKeyBytes : options.maxKeyBytes;
  return {
    ...batchLimits(options, pace, nodeTimeoutMs),
    idle: batchLimits(options, 'fast', nodeTimeoutMs),
    slotsInFlight: SLOTS_IN_FLIGHT,
    windowSlots: WINDOW_SLOTS[pace],
    windowKeys: WINDOW_KEYS[pace],
    idleWindows: IDLE_WINDOWS[pace],
    maxKeyBytes,
    migrateTimeoutMs,
    commandTimeoutMs: Math.max(COMMAND_TIMEOUT_MIN_MS, migrateTimeoutMs * COMMAND_TIMEOUT_FACTOR),
    maxReplicaLagBytes: MAX_REPLICA_LAG_BYTES[pace],
    rateBytesPerS: options.rateBytesPerS,
    busyShare: BUSY_SHARE[pace],
    handoverShare: HANDOVER_SHARE[pace],
    reasons: reasonsOf(options, nodeTimeoutMs),
  };
}

/** `bound`: the pace whose blocks these are; what a crash may cost is that of the pace that was asked for. */
function batchLimits(
  options: MoveOptions,
  bound: MoveOptions['pace'],
  nodeTimeoutMs: number,
): BatchLimits {
  const blockBoundMs = blockBound(options, bound, nodeTimeoutMs);
  const batchBytesMax = batchCeiling(options);
  return {
    blockBoundMs,
    batchBytesStart: Math.min(blockBoundMs * START_BYTES_PER_MS, batchBytesMax),
    batchBytesMin: Math.min(BATCH_BYTES_MIN, batchBytesMax),
    batchBytesMax,
    batchKeysMax: BATCH_KEYS_MAX[options.pace],
  };
}

/** A bound above a quarter of the node timeout would let batches do what single keys may not. */
function blockBound(
  { maxLatencyMs }: MoveOptions,
  pace: MoveOptions['pace'],
  nodeTimeoutMs: number,
): number {
  const ceilingMs = Math.max(1, Math.floor(nodeTimeoutMs * LARGEST_BLOCK_SHARE));
  if (maxLatencyMs === 0) return Math.min(BLOCK_BOUND_MS[pace], ceilingMs);
  if (maxLatencyMs <= ceilingMs) return maxLatencyMs;
  throw new RedroverError(
    'invalid-argument',
    `--max-latency ${maxLatencyMs}ms lets one command block a node for more than a quarter ` +
      `of its cluster-node-timeout of ${nodeTimeoutMs} ms; give ${ceilingMs}ms or less.`,
  );
}

/** One batch holds no more than a tenth of a second's worth of the rate, so that the rate is kept smoothly. */
function batchCeiling({ pace, rateBytesPerS }: MoveOptions): number {
  const byRate = rateBytesPerS === 0 ? Infinity : Math.max(KIB, Math.floor(rateBytesPerS / 10));
  return Math.min(BATCH_BYTES_MAX[pace], byRate);
}

function reasonsOf(options: MoveOptions, nodeTimeoutMs: number): Record<LimitName, string> {
  const { pace } = options;
  const said = (name: string) => `given as ${name}`;
  const ofPace = `for the ${pace} pace`;
  return {
    blockBoundMs: options.maxLatencyMs === 0 ? ofPace : said('--max-latency'),
    batchBytesStart: 'grows from here while batches stay within the bound',
    batchBytesMin: 'below this a batch is all overhead',
    batchBytesMax: `${ofPace}, and no more than a tenth of a second of --rate`,
    batchKeysMax: 'more keys in one command make nothing faster',
    idle: 'where no client is at work, nobody waits for a block',
    slotsInFlight: 'hides round trips',
    windowSlots: `several times what is in flight, ${ofPace}`,
    windowKeys: `each window makes the target sync a file, ${ofPace}`,
    idleWindows: 'large windows cost nobody anything where no clients are',
    maxKeyBytes:
      options.maxKeyBytes === 0
        ? `blocks a node for about a quarter of cluster-node-timeout ${nodeTimeoutMs} ms`
        : said('--max-key-bytes'),
    migrateTimeoutMs: `below half of cluster-node-timeout ${nodeTimeoutMs} ms`,
    commandTimeoutMs: 'above the longest MIGRATE, whose timeout is for each read and write',
    maxReplicaLagBytes: `what could be lost with the target while a slot is on its way, ${ofPace}`,
    rateBytesPerS: options.rateBytesPerS === 0 ? 'no limit was asked for' : said('--rate'),
    busyShare: pace === 'fast' ? 'no rests in a maintenance window' : 'the rest is for clients',
    handoverShare:
      pace === 'fast' ? 'no rests in a maintenance window' : 'each makes all nodes sync a file',
  };
}
