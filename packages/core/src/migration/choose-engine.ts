/**
 * Which engine moves slots between two shards: what the operator says, what every node of the move has, and what has
 * failed before. What each engine does is the agent's business.
 */
import type { Finding } from '../model/finding.ts';
import type { NodeKey } from '../model/layout.ts';
import type { MoveEngine, MoveOptions } from '../model/migration.ts';
import type { History } from '../model/operation.ts';

export interface EngineQuestion {
  /** What the operator asked for. */
  readonly wanted: MoveOptions['engine'];
  /** Source, target and the replicas of both. */
  readonly nodes: readonly EngineNode[];
  /** Whether any slot of the move is open on any node: only `migrate` can go on from there. */
  readonly slotsOpen: boolean;
  /** Of this operation. */
  readonly history: History;
}

export interface EngineNode {
  readonly node: NodeKey;
  /** `RedisObservation.moveEngines`; undefined: it did not answer, so nothing is known. */
  readonly engines: readonly MoveEngine[] | undefined;
}

export type EngineChoice =
  | {
      readonly kind: 'chosen';
      readonly engine: MoveEngine;
      /** Why, where people would wonder (a fallback, open slots); else empty. */
      readonly reason: string;
    }
  | { readonly kind: 'refused'; readonly finding: Finding };

/** Failed attempts after which an atomic engine gives way to `migrate`. */
export const ATOMIC_TRIES = 2;

const ATOMIC: readonly MoveEngine[] = ['valkey-atomic', 'redis-atomic'];

/** Chooses the engine of one pair. */
export function chooseEngine(question: EngineQuestion): EngineChoice {
  if (question.slotsOpen) {
    const reason = 'slots that are open already are moved key by key';
    return chosen('migrate', question.wanted === 'migrate' ? '' : reason);
  }
  if (question.wanted !== 'auto') return chooseForced(question, question.wanted);
  const common = ATOMIC.find((engine) => lacking(question.nodes, engine).length === 0);
  if (common === undefined) return chosen('migrate', '');
  const failures = countEngineFailures(question.history, common);
  if (failures < ATOMIC_TRIES) return chosen(common, '');
  return chosen('migrate', `${common} has failed ${failures} times in this operation`);
}

/** Attempts of an operation that failed with an engine; those that were called off tell nothing of it. */
export function countEngineFailures(history: History, engine: MoveEngine): number {
  return history.filter(
    ({ stepKey, outcome, errorCode }) =>
      outcome === 'failed' &&
      errorCode !== 'cancelled' &&
      errorCode !== 'fenced' &&
      stepKey.startsWith('moveSlots ') &&
      stepKey.endsWith(` ${engine}`),
  ).length;
}

function chooseForced({ nodes }: EngineQuestion, engine: MoveEngine): EngineChoice {
  // Every release has it.
  if (engine === 'migrate') return chosen('migrate', '');
  const without = lacking(nodes, engine);
  if (without.length === 0) return chosen(engine, '');
  return {
    kind: 'refused',
    finding: {
      rule: 'engine-not-supported',
      severity: 'critical',
      subject: without[0]?.node ?? '',
      message:
        `The engine ${engine} was asked for, and ${without.length} of ${nodes.length} nodes of ` +
        'the move do not have it.',
      evidence: without.map(({ node, engines }) =>
        engines === undefined
          ? `${node} does not answer, so what it has is not known`
          : `${node} has ${engines.length === 0 ? 'migrate' : engines.join(', ')}`,
      ),
      remedy: `${NEEDS[engine]} Leave --engine out, and the best engine that all nodes have is taken.`,
    },
  };
}

const NEEDS: Readonly<Record<MoveEngine, string>> = {
  migrate: '',
  'redis-atomic': 'It comes with Redis 8.4.',
  'valkey-atomic': 'It comes with Valkey 9.0.',
};

function lacking(nodes: readonly EngineNode[], engine: MoveEngine): EngineNode[] {
  return nodes.filter(({ engines }) => !(engines ?? []).includes(engine));
}

function chosen(engine: MoveEngine, reason: string): EngineChoice {
  return { kind: 'chosen', engine, reason };
}
