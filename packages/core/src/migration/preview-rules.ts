/** What a preview warns of: one small rule each. `critical` findings refuse the plan. */
import { bytesText, ceilingText } from '../model/bytes-text.ts';
import type { Finding } from '../model/finding.ts';
import type { NodeKey } from '../model/layout.ts';
import type { PlannedMove } from '../model/migration.ts';
import { formatRanges } from '../model/slots.ts';
import { predictBlockingMs } from './move-costs.ts';
import type { PreviewNode, PreviewPicture, PreviewRule } from './move-preview.ts';
import { NODE_RULES } from './preview-node-rules.ts';

/** Allocators need more than keys report: fragmentation, replication buffers, keys that grow on their way. */
const HEADROOM = 1.2;
const MAX_LINES = 8;

/** An LRU policy would evict in silence, any other refuse writes half way. */
function findTargetMemory({ input, moves }: PreviewPicture): Finding[] {
  const targets = new Map<NodeKey, PlannedMove[]>();
  for (const move of moves) targets.set(move.target, [...(targets.get(move.target) ?? []), move]);
  return [...targets].flatMap(([key, pairs]) => {
    const node = input.nodes[key];
    if (node === undefined || node.maxmemoryBytes === 0) return [];
    const incoming = pairs.reduce((sum, { bytes }) => sum + bytes, 0);
    const needed = Math.ceil(node.usedMemoryBytes + incoming * HEADROOM);
    if (incoming === 0 || needed < node.maxmemoryBytes) return [];
    return [lackOfMemory(node, { incoming, needed, pairs })];
  });
}

interface Need {
  readonly incoming: number;
  readonly needed: number;
  readonly pairs: readonly PlannedMove[];
}

function lackOfMemory(node: PreviewNode, { incoming, needed, pairs }: Need): Finding {
  return {
    rule: 'target-memory',
    severity: 'critical',
    subject: node.key,
    message:
      `Node ${node.key} would need about ${bytesText(needed)} with the slots that it gets, and its ` +
      `maxmemory is ${bytesText(node.maxmemoryBytes)}: it would evict keys or refuse writes.`,
    evidence: [
      `uses ${bytesText(node.usedMemoryBytes)} now; ${bytesText(incoming)} come, times ${HEADROOM}`,
      ...pairs.slice(0, MAX_LINES).map(({ source, bytes }) => `${bytesText(bytes)} from ${source}`),
    ],
    remedy: 'Raise maxmemory in the spec, move fewer slots, or add a shard.',
  };
}

function findLargeKeys({ moves, limits }: PreviewPicture): Finding[] {
  return moves.flatMap(({ engine, largestKey: key, source }) => {
    if (engine !== 'migrate' || key === undefined || key.bytes <= limits.maxKeyBytes) return [];
    return [
      {
        rule: 'key-too-large',
        severity: 'warning' as const,
        subject: source,
        message:
          `Key ${key.name} of slot ${key.slot} takes ${bytesText(key.bytes)}, more than the ` +
          `${bytesText(limits.maxKeyBytes)} that are moved at once. Its slot stays on ${source} for ` +
          'you to decide; all others go.',
        evidence: [
          `${key.name} (${key.type}): would block ${source} for about ${blockText(key.bytes)}`,
          `ceiling: ${limits.reasons.maxKeyBytes}`,
        ],
        remedy:
          'Split or delete the key before, or allow it with ' +
          `--max-key-bytes ${ceilingText(key.bytes)} in a maintenance window.`,
      },
    ];
  });
}

/** Above half of the timeout, one more delay makes the other masters call the node failed. */
const RISKY_SHARE = 0.5;
/** A single block that is shorter is not worth a line. */
const NOTICEABLE_MS = 5;

function findLongBlocking({ input, moves, limits }: PreviewPicture): Finding[] {
  const { nodeTimeoutMs } = input;
  return moves.flatMap((move): Finding[] => {
    const key = move.largestKey;
    if (move.engine !== 'migrate' || key === undefined || key.bytes > limits.maxKeyBytes) return [];
    const base = {
      subject: move.source,
      evidence: [`${key.name} (${key.type}) of slot ${key.slot}: ${bytesText(key.bytes)}`],
    };
    if (move.blockingMs >= nodeTimeoutMs * RISKY_SHARE) {
      return [
        {
          ...base,
          rule: 'blocking-too-long',
          severity: 'critical' as const,
          message:
            `Moving key ${key.name} would block ${move.source} and ${move.target} for about ` +
            `${blockText(key.bytes)}; cluster-node-timeout is ${nodeTimeoutMs} ms, so one of them ` +
            'could be failed over meanwhile.',
          remedy:
            'Lower --max-key-bytes, so that its slot is left where it is; or raise ' +
            `cluster-node-timeout above ${Math.ceil(move.blockingMs / RISKY_SHARE)} ms first.`,
        },
      ];
    }
    if (move.blockingMs <= Math.max(limits.blockBoundMs, NOTICEABLE_MS)) return [];
    return [
      {
        ...base,
        rule: 'blocking-over-bound',
        severity: 'info' as const,
        message:
          `Key ${key.name} cannot be cut: moving it blocks ${move.source} and ${move.target} for ` +
          `about ${blockText(key.bytes)}, more than the ${limits.blockBoundMs} ms of other batches.`,
        remedy: '',
      },
    ];
  });
}

function findGaps({ input, moves }: PreviewPicture): Finding[] {
  const silent = moves.filter(({ source }) => !input.surveys.some(({ node }) => node === source));
  const partial = moves.filter((move) => !move.complete && !silent.includes(move));
  const missing = silent.map((move) => ({
    rule: 'survey-missing',
    severity: 'warning' as const,
    subject: move.source,
    message:
      `Node ${move.source} was not surveyed: how many keys and bytes go to ${move.target}, and ` +
      'how large the largest is, is not known.',
    evidence: [`slots ${formatRanges(move.slots)}`],
    remedy: 'Plan again when the node answers; the mover checks every key before it sends it.',
  }));
  const sampled = partial.map((move) => ({
    rule: 'survey-incomplete',
    severity: 'info' as const,
    subject: move.source,
    message:
      `Not every key that goes from ${move.source} to ${move.target} was looked at: bytes are ` +
      'estimated, and a larger key than the one named here may be among them.',
    evidence: input.surveys
      .filter(({ node }) => node === move.source)
      .map(({ keysSampled }) => `${keysSampled} keys looked at, ${move.keys} in the slots`),
    remedy: '',
  }));
  return [...missing, ...sampled];
}

function blockText(keyBytes: number): string {
  const ms = predictBlockingMs('migrate', keyBytes);
  return ms >= 1000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms)} ms`;
}

/** Servers that move slots themselves copy them as they replicate, and take no limits for it. */
function findUnkeptLimits({ input, moves }: PreviewPicture): Finding[] {
  const engines = new Set(moves.map(({ engine }) => engine));
  engines.delete('migrate');
  const { rateBytesPerS, maxLatencyMs, maxKeyBytes } = input.options;
  const given = [
    ...(rateBytesPerS > 0 ? ['--rate'] : []),
    ...(maxLatencyMs > 0 ? ['--max-latency'] : []),
    ...(maxKeyBytes > 0 ? ['--max-key-bytes'] : []),
  ];
  if (given.length === 0) return [];
  return [...engines].map((engine) => ({
    rule: 'limits-not-kept',
    severity: 'warning' as const,
    subject: engine,
    message: `The ${engine} engine keeps to no limits: ${given.join(', ')} would have no effect with it.`,
    evidence: [],
    remedy: 'Add --engine migrate, which keeps to them and takes longer; or leave them out.',
  }));
}

export const PREVIEW_RULES: readonly PreviewRule[] = [
  ...NODE_RULES,
  findTargetMemory,
  findLargeKeys,
  findLongBlocking,
  findUnkeptLimits,
  findGaps,
];
