/** The last step of an operation: each acting master proves that it takes a write. */
import { stepKey, type VerifyWriteStep } from '../model/step.ts';
import { succeeded, tryStep } from './attempts.ts';
import type { ShardState } from './shards.ts';
import type { Situation } from './situation.ts';
import { IDLE, mergeTurns, type Turn } from './turn.ts';

/**
 * A master counts as verified by this operation's journal alone. Without one it is verified
 * again, which changes nothing: the key that is written is removed.
 */
export function planVerify(
  situation: Situation,
  shards: readonly Pick<ShardState, 'acting'>[],
): Turn {
  return mergeTurns(
    shards.map(({ acting }) => {
      if (acting === undefined) return IDLE;
      const { node } = acting;
      const step: VerifyWriteStep = { kind: 'verifyWrite', host: node.host, node: node.key };
      if (succeeded(situation.attempts, stepKey(step))) return IDLE;
      return tryStep(situation.attempts, step, {
        now: situation.now,
        what: `writing a key on ${node.key} and reading it back`,
        subject: node.key,
        remedy: `redrover cluster check ${situation.layout.cluster} shows what is wrong`,
      });
    }),
  );
}
