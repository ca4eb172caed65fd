/**
 * The source owns the slot and it shall not move: closed where the target got nothing. A slot of which the target has
 * keys is never closed: they could not be reached any more.
 */
import { quarantine } from './dispute.ts';
import { waitFor, type SlotPicture, type SlotRule } from './slot-rule.ts';

/**
 * A client that was sent to the target with ASK before the source was closed may still write there. Far more than a
 * round trip; little enough for a pause within a second.
 */
const ASK_GRACE_MS = 100;

export const UNDO_RULES: readonly SlotRule[] = [
  {
    name: 'large-key-half-way',
    reason: 'A key that would block the source for too long; some of the slot has gone before it.',
    decide: (picture) =>
      picture.sourceClaims && picture.facts.task.oversized !== undefined && picture.target.keys > 0
        ? quarantineLargeKey(picture)
        : undefined,
  },
  {
    name: 'close-source-first',
    reason:
      'While the source is MIGRATING it sends clients to the target, whose keys would be stranded.',
    decide: (picture) =>
      shallUndo(picture) && picture.source.migratingTo !== undefined
        ? { kind: 'closeSource' }
        : undefined,
  },
  {
    name: 'let-asked-clients-finish',
    reason:
      'A client on its way to the target with ASKING writes a key there, where nobody would find it.',
    decide: (picture) => {
      const { sourceClosedForMs } = picture.facts.task;
      const isLate = sourceClosedForMs !== undefined && sourceClosedForMs < ASK_GRACE_MS;
      return shallUndo(picture) && picture.target.importingFrom !== undefined && isLate
        ? waitFor('clients that were redirected to finish')
        : undefined;
    },
  },
  {
    name: 'close-target',
    reason: 'Only the target is open, and it holds no key of the slot.',
    decide: (picture) =>
      shallUndo(picture) && picture.target.importingFrom !== undefined
        ? { kind: 'closeTarget' }
        : undefined,
  },
  {
    name: 'large-key',
    reason:
      'A key that would block the source for too long; the slot was closed before anything went.',
    decide: (picture) =>
      shallUndo(picture) && picture.facts.task.oversized !== undefined
        ? quarantineLargeKey(picture)
        : undefined,
  },
  {
    name: 'left-with-source',
    reason: 'Nothing is open, and nothing shall be begun.',
    decide: (picture) => {
      const { facts, source, target, sourceClaims } = picture;
      const isOpen = source.migratingTo !== undefined || target.importingFrom !== undefined;
      if (!sourceClaims || facts.intent !== 'settle' || isOpen) return undefined;
      // A late client wrote to the target just before it was closed: the slot is opened again, and goes forward.
      if (target.keys > 0 && facts.task.touched) return undefined;
      return { kind: 'done', moved: false, orphanKeys: target.keys };
    },
  },
];

function shallUndo({ facts, sourceClaims, target }: SlotPicture): boolean {
  const unwanted = facts.intent === 'settle' || facts.task.oversized !== undefined;
  return sourceClaims && unwanted && target.keys === 0;
}

function quarantineLargeKey({ facts, source, target, sourceName, targetName }: SlotPicture) {
  const { oversized } = facts.task;
  if (oversized === undefined) return undefined;
  return quarantine(facts, {
    rule: 'key-too-large',
    message:
      `Key ${oversized.key} of slot ${facts.slot} takes ${oversized.bytes} bytes, more than the ` +
      `${oversized.maxBytes} that are moved at once; the slot stays with ${sourceName}.`,
    evidence: [
      `${oversized.key} (${oversized.type}): ${oversized.bytes} bytes`,
      `${sourceName} holds ${source.keys} keys of the slot, ${targetName} ${target.keys}`,
    ],
    remedy:
      'Split or delete the key; or plan a maintenance window, raise cluster-node-timeout, and ' +
      `allow it: --max-key-bytes ${oversized.bytes}.`,
  });
}
