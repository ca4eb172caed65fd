import { describe, expect, it } from 'vitest';
import { followUp } from './follow-up.ts';
import type { SlotFacts } from './slot-facts.ts';
import { nextSlotAction } from './slot-machine.ts';
import { exampleFacts, fromSource, TARGET, toTarget } from './testing/example-facts.ts';

const bothOpen = { source: { migratingTo: toTarget }, target: { importingFrom: fromSource } };
const settle: Partial<SlotFacts> = { intent: 'settle' };

describe('what follows an effect without another look', () => {
  it('is MIGRATING once the target imports', () => {
    const next = followUp(exampleFacts(), 'setImporting', nextSlotAction);
    expect(next?.action.kind).toBe('setMigrating');
  });

  it('is never NODE on the target, whatever the facts say', () => {
    const opened = exampleFacts({ source: { migratingTo: toTarget } });
    expect(nextSlotAction(exampleFacts(bothOpen)).kind).toBe('finaliseTarget');
    expect(followUp(opened, 'setImporting', nextSlotAction)).toBeUndefined();
    expect(followUp(exampleFacts(bothOpen), 'setMigrating', nextSlotAction)).toBeUndefined();
  });

  it('is the rest of the handover, in its order, once the target owns the slot', () => {
    const saved = followUp(exampleFacts(bothOpen), 'finaliseTarget', nextSlotAction);
    expect(saved?.action.kind).toBe('saveTargetConfig');
    const told = followUp(saved?.facts ?? exampleFacts(), 'saveTargetConfig', nextSlotAction);
    expect(told?.action.kind).toBe('finaliseSource');
    expect(followUp(told?.facts ?? exampleFacts(), 'finaliseSource', nextSlotAction)).toBe(
      undefined,
    );
  });

  it('is a look where the source has heard already', () => {
    const heard = exampleFacts({ target: { owner: TARGET }, source: { owner: TARGET } });
    expect(followUp(heard, 'saveTargetConfig', nextSlotAction)).toBeUndefined();
  });

  it('is nothing where the slot shall not move', () => {
    const facts = { ...exampleFacts(), ...settle };
    expect(followUp(facts, 'setImporting', nextSlotAction)).toBeUndefined();
  });
});
