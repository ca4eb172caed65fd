/** What a rule of the slot machine is, and the words that rules share. The rules themselves are beside this file. */
import type { SlotAction, SlotEffect, SlotEnd, SlotPause } from '../slot-action.ts';
import type { EndReading, SlotFacts } from '../slot-facts.ts';

/**
 * One reason to act, or to hold still. The first rule that has an answer decides, so a rule may rely on what those
 * before it have ruled out.
 */
export interface SlotRule<Input = SlotPicture> {
  /** Kebab-case. */
  readonly name: string;
  /** What would go wrong without it. */
  readonly reason: string;
  readonly decide: (input: Input) => SlotAnswer | undefined;
}

export type SlotAnswer = SlotEffect | SlotPause | SlotEnd;

/** The facts once both ends have answered, and what every rule asks of them. */
export interface SlotPicture {
  readonly facts: SlotFacts;
  readonly source: EndReading;
  readonly target: EndReading;
  /** Whether the end says of itself that it owns the slot. */
  readonly sourceClaims: boolean;
  readonly targetClaims: boolean;
  /** Names for messages. */
  readonly sourceName: string;
  readonly targetName: string;
}

export function pictureOf(facts: SlotFacts, source: EndReading, target: EndReading): SlotPicture {
  return {
    facts,
    source,
    target,
    sourceClaims: source.role === 'master' && source.owner === source.nodeId,
    targetClaims: target.role === 'master' && target.owner === target.nodeId,
    sourceName: facts.source.node,
    targetName: facts.target.node,
  };
}

/** The first rule that has an answer, with its name; undefined: none has. */
export function firstAnswer<Input>(
  rules: readonly SlotRule<Input>[],
  input: Input,
): SlotAction | undefined {
  for (const rule of rules) {
    const answer = rule.decide(input);
    if (answer !== undefined) return { ...answer, rule: rule.name };
  }
  return undefined;
}

/** Looking again later may help under this task. */
export function waitFor(reason: string): SlotPause {
  return { kind: 'wait', reason, replan: false };
}

/** Only another task can help. */
export function planAnew(reason: string): SlotPause {
  return { kind: 'wait', reason, replan: true };
}
