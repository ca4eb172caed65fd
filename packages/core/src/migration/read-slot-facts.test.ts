import { describe, expect, it } from 'vitest';
import type { MoveEnd } from '../model/migration.ts';
import { readClusterNodes } from '../topology/cluster-nodes.ts';
import { judgeBusyKey } from './busy-key.ts';
import { slotFactsOf, type Asked, type MoveReading } from './read-slot-facts.ts';
import { untouched } from './slot-facts.ts';

const id = (letter: string) => letter.repeat(40);
const [S, T, S2, T2, W] = ['a', 'b', 'c', 'd', 'e'].map(id) as [
  string,
  string,
  string,
  string,
  string,
];

interface Lines {
  readonly me: string;
  /** Behind the slots of the node itself. */
  readonly open?: string;
  readonly sourceFlags?: string;
  readonly sourceSlots?: string;
}

/** `CLUSTER NODES` as one of the five prints it. */
function answerOf({ me, open = '', sourceFlags = 'master', sourceSlots = '0-99' }: Lines) {
  const line = (nodeId: string, port: number, rest: string) => {
    const [flags = '', ...others] = rest.split(' ');
    const mine = nodeId === me ? `myself,${flags}` : flags;
    const own = nodeId === me ? open : '';
    return `${nodeId} 127.0.0.1:${port}@${port + 10000} ${mine} ${others.join(' ')} ${own}`.trim();
  };
  const text = [
    line(S, 7001, `${sourceFlags} - 0 0 3 connected ${sourceSlots}`),
    line(T, 7002, 'master - 0 0 2 connected 100-199'),
    line(S2, 7003, `slave ${S} 0 0 3 connected`),
    line(T2, 7004, `slave ${T} 0 0 2 connected`),
    line(W, 7005, 'master - 0 0 4 connected 200-16383'),
  ].join('\n');
  return readClusterNodes(text).view;
}

function asked(nodeId: string, lines: Partial<Lines> = {}, offsetBytes = 0): Asked {
  const end: MoveEnd = { node: nodeId.slice(0, 1), nodeId, address: '127.0.0.1', port: 7000 };
  const role = nodeId === S2 || nodeId === T2 ? ('replica' as const) : ('master' as const);
  const view = answerOf({ me: nodeId, ...lines });
  return { end, reading: { nodeId, view, role, loading: false, stateOk: true, offsetBytes } };
}

function factsOf(change: Partial<MoveReading> = {}) {
  const move: MoveReading = {
    source: asked(S),
    target: asked(T, {}, 500),
    sourceReplicas: [asked(S2)],
    targetReplicas: [asked(T2, {}, 420)],
    otherMasters: [asked(W)],
    sourceOtherRole: undefined,
    targetOtherRole: undefined,
    nodeTimeoutMs: 5000,
    ageMs: 3,
    ...change,
  };
  const counts = { slot: 7, intent: 'move' as const, sourceKeys: 4, targetKeys: 1 };
  return slotFactsOf(move, { ...counts, task: untouched(1), unchangedForMs: 9 });
}

describe('facts of a slot', () => {
  it('are what each node said of it', () => {
    const facts = factsOf();
    expect(facts.source.said).toMatchObject({ owner: S, keys: 4, configEpoch: 3 });
    expect(facts.target.said).toMatchObject({ owner: S, keys: 1, configEpoch: 2 });
    expect(facts.targetSeesSource).toEqual({ flags: ['master'], configEpoch: 3 });
    expect(facts.witnesses[0]?.said).toMatchObject({ owner: S, role: 'master' });
    expect(facts.targetReplicas[0]?.said?.lagBytes).toBe(80);
  });

  it('tell whom an open slot names', () => {
    const open = (text: string) => factsOf({ source: asked(S, { open: text }) });
    const flagOf = (text: string) => open(text).source.said?.migratingTo?.standing;
    expect(flagOf(`[7->-${T}]`)).toBe('end');
    expect(flagOf(`[7->-${T2}]`)).toBe('same-shard');
    expect(flagOf(`[7->-${W}]`)).toBe('other');
    expect(flagOf(`[7->-${id('f')}]`)).toBe('gone');
    expect(flagOf(`[8->-${T}]`)).toBeUndefined();
  });

  it('know a failed master as gone once its other slots have a new owner', () => {
    const standing = (sourceSlots: string) => {
      const lines = { open: `[7-<-${S}]`, sourceFlags: 'master,fail', sourceSlots };
      const facts = factsOf({ source: asked(S2), target: asked(T, lines) });
      return facts.target.said?.importingFrom?.standing;
    };
    expect(standing('7')).toBe('gone');
    expect(standing('0-99')).toBe('other');
  });

  it('call a source that imports a target of somebody, and a target that gives a source', () => {
    const source = asked(S, { open: `[150-<-${T}]` });
    expect(factsOf({ source }).source.said?.otherRole).toBe('is importing slot 150');
    const target = asked(T, { open: `[150->-${W}]` });
    expect(factsOf({ target }).target.said?.otherRole).toBe('is giving away slot 150');
  });

  it('take no other node under the same address for a witness', () => {
    const stranger = { ...asked(W), end: { ...asked(W).end, nodeId: id('9') } };
    expect(factsOf({ otherMasters: [stranger] }).witnesses[0]?.said).toBeUndefined();
  });
});

describe('a key that both ends hold', () => {
  const life = { runId: 'run-1', replicationId: 'history-1' };

  it('counts as the source has it, where that one is the very process that sent it', () => {
    expect(judgeBusyKey(life, { ...life })).toBe('replace');
  });

  it('is compared after a restart, after a promotion, and when somebody else sent it', () => {
    expect(judgeBusyKey(life, { ...life, runId: 'run-2' })).toBe('compare');
    expect(judgeBusyKey(life, { ...life, replicationId: 'history-2' })).toBe('compare');
    expect(judgeBusyKey(undefined, life)).toBe('compare');
    expect(judgeBusyKey(life, undefined)).toBe('compare');
  });
});
