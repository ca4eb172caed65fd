import { describe, expect, it } from 'vitest';
import type { Attempt } from '../model/operation.ts';
import { chooseEngine, type EngineQuestion } from './choose-engine.ts';

const modern = ['h1:1', 'h1:2', 'h2:1', 'h2:2'].map((node) => ({
  node,
  engines: ['migrate', 'redis-atomic'] as const,
}));

function ask(change: Partial<EngineQuestion>) {
  return chooseEngine({ wanted: 'auto', nodes: modern, slotsOpen: false, history: [], ...change });
}

function failed(engine: string, errorCode: Attempt['errorCode'] = 'unavailable'): Attempt {
  const stepKey = `moveSlots h1:1 > h2:1 ${engine}`;
  const at = { startedAtMs: 0, endedAtMs: 1, message: '', move: undefined };
  return { stepKey, outcome: 'failed', errorCode, ...at };
}

describe('choosing an engine', () => {
  it('takes the atomic one that all nodes have', () => {
    expect(ask({})).toEqual({ kind: 'chosen', engine: 'redis-atomic', reason: '' });
  });

  it('takes MIGRATE where one replica lacks it, or does not answer', () => {
    const [first, ...others] = modern;
    if (first === undefined) return;
    const older = { ...first, engines: ['migrate'] as const };
    expect(ask({ nodes: [...others, older] })).toMatchObject({ engine: 'migrate' });
    const silent = { ...first, engines: undefined };
    expect(ask({ nodes: [...others, silent] })).toMatchObject({ engine: 'migrate' });
  });

  it('falls back after two failures of that engine, not of what was called off', () => {
    const once = [failed('redis-atomic'), failed('redis-atomic', 'cancelled'), failed('migrate')];
    expect(ask({ history: once })).toMatchObject({ engine: 'redis-atomic' });
    expect(ask({ history: [...once, failed('redis-atomic')] })).toEqual({
      kind: 'chosen',
      engine: 'migrate',
      reason: 'redis-atomic has failed 2 times in this operation',
    });
  });

  it('goes on with open slots key by key', () => {
    expect(ask({ slotsOpen: true, wanted: 'redis-atomic' })).toMatchObject({ engine: 'migrate' });
  });

  it('refuses an engine that was asked for and that a node lacks, and names the node', () => {
    const choice = ask({ wanted: 'valkey-atomic' });
    expect(choice).toMatchObject({
      kind: 'refused',
      finding: {
        rule: 'engine-not-supported',
        severity: 'critical',
        subject: 'h1:1',
        evidence: expect.arrayContaining(['h2:2 has migrate, redis-atomic']),
      },
    });
  });

  it('does not give up an engine that was asked for', () => {
    const history = [failed('redis-atomic'), failed('redis-atomic'), failed('redis-atomic')];
    expect(ask({ wanted: 'redis-atomic', history })).toMatchObject({ engine: 'redis-atomic' });
  });
});
