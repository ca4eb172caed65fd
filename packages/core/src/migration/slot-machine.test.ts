/** The table of crash states, and every check before NODE: one line each. */
import { describe, expect, it } from 'vitest';
import type { SlotFacts } from './slot-facts.ts';
import { nextSlotAction, SLOT_RULES } from './slot-machine.ts';
import {
  exampleFacts,
  fromSource,
  NODE_TIMEOUT_MS,
  SOURCE,
  TARGET,
  toTarget,
} from './testing/example-facts.ts';

const settle: Partial<SlotFacts> = { intent: 'settle' };
const bothOpen = { source: { migratingTo: toTarget }, target: { importingFrom: fromSource } };
/** NODE was sent to the target, and its config saved. */
const handedOver = {
  target: { owner: TARGET },
  witnesses: [TARGET, TARGET],
  replicasSee: TARGET,
  task: { targetConfigSaved: true },
};
const settledLong = { unchangedForMs: 10 * NODE_TIMEOUT_MS };

function answer(facts: SlotFacts): string {
  const action = nextSlotAction(facts);
  const detail = action.kind === 'quarantine' ? ` ${action.quarantined.rule}` : '';
  const anew = action.kind === 'wait' && action.replan ? ' and plan anew' : '';
  return `${action.kind}${detail}${anew} (${action.rule})`;
}

describe('a slot that shall move', () => {
  it('is opened on the target first', () => {
    expect(answer(exampleFacts())).toBe('setImporting (importing-before-migrating)');
  });

  it('is set migrating also when it is empty', () => {
    const facts = exampleFacts({ target: { importingFrom: fromSource } });
    expect(answer(facts)).toBe('setMigrating (migrating-before-counting)');
  });

  it('is emptied before anything else', () => {
    const facts = exampleFacts({ ...bothOpen, source: { migratingTo: toTarget, keys: 3 } });
    expect(answer(facts)).toBe('moveKeys (move-keys)');
  });

  it('waits for a target replica that lags before the next batch', () => {
    const source = { migratingTo: toTarget, keys: 3 };
    const facts = exampleFacts({ ...bothOpen, source, lagBytes: 2_000_000 });
    expect(answer(facts)).toBe('awaitTargetReplicas (bounded-replica-lag)');
  });

  it('has its keys in doubt sent again although the source holds none', () => {
    const facts = exampleFacts({ ...bothOpen, task: { keysInDoubt: 1 } });
    expect(answer(facts)).toBe('moveKeys (move-keys)');
  });

  it('is finalised on the target when all checks hold', () => {
    expect(answer(exampleFacts(bothOpen))).toBe('finaliseTarget (finalise-target)');
  });

  it('then has the config of the target saved, and only then is given up by the source', () => {
    const unsaved = exampleFacts({ ...handedOver, task: {} });
    expect(answer(unsaved)).toBe('saveTargetConfig (target-config-is-saved)');
    expect(answer(exampleFacts(handedOver))).toBe('finaliseSource (finalise-source)');
  });

  it('is told to masters that lag, and waited for in the views of replicas', () => {
    const givenUp = { ...handedOver, source: { owner: TARGET } };
    const lagging = { ...givenUp, witnesses: [TARGET, SOURCE] };
    expect(answer(exampleFacts(lagging))).toBe('awaitConvergence (masters-are-told)');
    const late = exampleFacts({ ...lagging, facts: { unchangedForMs: 500 } });
    expect(nextSlotAction(late)).toMatchObject({ kind: 'tellMasters', nodeIds: ['h4:6379'] });
    const deaf = exampleFacts({ ...givenUp, replicasSee: SOURCE });
    expect(answer(deaf)).toBe('awaitConvergence (replicas-have-heard)');
    expect(answer(exampleFacts(givenUp))).toBe('done (moved)');
  });

  it('is not held up by a replica that both ends call failed', () => {
    const gone = { failed: true, said: undefined };
    const facts = exampleFacts({ ...handedOver, source: { owner: TARGET }, sourceReplica: gone });
    expect(answer(facts)).toBe('done (moved)');
  });
});

describe('each check before NODE on the target holds it back', () => {
  const held: [string, SlotFacts][] = [
    [
      'wait (finalise-with-one-role)',
      exampleFacts({ ...bothOpen, source: { migratingTo: toTarget, otherRole: 'imports' } }),
    ],
    [
      'wait (target-sees-source-well)',
      exampleFacts({
        ...bothOpen,
        facts: { targetSeesSource: { flags: ['master', 'fail?'], configEpoch: 1 } },
      }),
    ],
    ['wait (witnesses-name-source)', exampleFacts({ ...bothOpen, witnesses: [SOURCE, 'h2:6380'] })],
    ['wait (witnesses-name-source)', exampleFacts({ ...bothOpen, witnesses: [SOURCE, undefined] })],
    [
      'wait (few-witnesses)',
      exampleFacts({ ...bothOpen, witnesses: [SOURCE], sourceReplica: { said: undefined } }),
    ],
    [
      'wait (target-knows-source-epoch)',
      exampleFacts({ ...bothOpen, source: { migratingTo: toTarget, configEpoch: 9 } }),
    ],
    ['awaitTargetReplicas (target-replicas-have-all)', exampleFacts({ ...bothOpen, lagBytes: 1 })],
    [
      'awaitTargetReplicas (target-replicas-have-all)',
      exampleFacts({ ...bothOpen, targetReplica: { failed: true, said: undefined } }),
    ],
    ['wait (facts-are-fresh)', exampleFacts({ ...bothOpen, facts: { ageMs: 401 } })],
    [
      'wait (cluster-state-is-ok)',
      exampleFacts({ ...bothOpen, source: { migratingTo: toTarget, stateOk: false } }),
    ],
  ];

  it.each(held)('%s', (expected, facts) => {
    expect(answer(facts)).toBe(expected);
  });

  it('but not what the target gives away, where both were left half way', () => {
    const facts = exampleFacts({
      ...bothOpen,
      target: { importingFrom: fromSource, otherRole: 'is giving away slot 150' },
    });
    const touched = { ...facts, task: { ...facts.task, touched: true } };
    expect(answer(touched)).toBe('wait (finalise-with-one-role)');
    expect(answer({ ...facts, task: { ...facts.task, touched: false } })).toMatch(/finaliseTarget/);
    expect(answer({ ...touched, unchangedForMs: 60_000 })).toMatch(/finaliseTarget/);
  });
});

describe('the table of crash states', () => {
  it('only the target is open, and holds no key: closed there', () => {
    const facts = exampleFacts({ target: { importingFrom: fromSource }, facts: settle });
    expect(answer(facts)).toBe('closeTarget (close-target-first)');
  });

  it('both open: forward; closed again only while the target has no key', () => {
    const half = { ...bothOpen, target: { importingFrom: fromSource, keys: 1 }, facts: settle };
    expect(answer(exampleFacts(half))).toBe('finaliseTarget (finalise-target)');
    const none = exampleFacts({ ...bothOpen, facts: settle });
    expect(answer(none)).toBe('closeTarget (close-target-first)');
    const sourceOnly = exampleFacts({ source: { migratingTo: toTarget }, facts: settle });
    expect(answer(sourceOnly)).toBe('closeSource (close-source)');
    expect(answer(exampleFacts({ facts: settle }))).toBe('done (left-with-source)');
  });

  it('NODE done on the target, not on the source: the source is told', () => {
    const facts = exampleFacts({ ...handedOver, source: { migratingTo: toTarget } });
    expect(answer(facts)).toBe('finaliseSource (finalise-source)');
  });

  it('the target died and its replica was promoted: that is another task', () => {
    const said = { nodeId: 'h1:6380', role: 'master', owner: SOURCE, lagBytes: 0 } as const;
    const heir = { said: { ...said, seesSource: undefined } };
    const facts = exampleFacts({ ...bothOpen, targetReplica: heir });
    expect(answer(facts)).toBe('wait and plan anew (target-failed-over)');
  });

  it('a promoted target imports, then the source migrates to it, although it named the dead one', () => {
    const former = { nodeId: 'dead', standing: 'gone' } as const;
    const unopened = exampleFacts({
      source: { migratingTo: former, keys: 1 },
      target: { keys: 4 },
    });
    expect(answer(unopened)).toBe('setImporting (importing-before-migrating)');
    const opened = exampleFacts({
      source: { migratingTo: former, keys: 1 },
      target: { keys: 4, importingFrom: fromSource },
    });
    expect(answer(opened)).toBe('setMigrating (migrating-before-counting)');
  });

  it('a promoted source migrates at once, whatever the target says, then the target imports from it', () => {
    const former = { nodeId: 'dead', standing: 'same-shard' } as const;
    const target = { keys: 4, importingFrom: former };
    const down = { ...target, owner: 'dead', stateOk: false };
    expect(answer(exampleFacts({ target: down }))).toBe('setMigrating (migrating-after-promotion)');
    const migrating = exampleFacts({ source: { migratingTo: toTarget }, target });
    expect(answer(migrating)).toBe('setImporting (importing-from-this-source)');
  });

  it('the former source came back as a replica, and the target names nobody: it is told who owns it', () => {
    const source = { migratingTo: toTarget, keys: 3 };
    const target = { importingFrom: fromSource, owner: undefined, keys: 2 };
    expect(answer(exampleFacts({ source, target }))).toBe('nameSource (target-names-the-owner)');
  });

  it('a target that is down since it names a source that was replaced is told who owns the slot', () => {
    const former = { nodeId: 'dead', standing: 'same-shard' } as const;
    const source = { migratingTo: toTarget };
    const target = { importingFrom: former, owner: 'dead', keys: 2, stateOk: false };
    expect(answer(exampleFacts({ source, target }))).toBe('nameSource (target-names-the-owner)');
    const told = { ...target, owner: SOURCE, stateOk: true };
    expect(answer(exampleFacts({ source, target: told }))).toBe(
      'setImporting (importing-from-this-source)',
    );
  });

  it('the target lost power and forgot that it owns the slot: IMPORTING, then NODE again', () => {
    const forgotten = {
      source: { owner: TARGET },
      target: { keys: 3 },
      witnesses: [TARGET, TARGET],
    };
    expect(answer(exampleFacts(forgotten))).toBe('setImporting (importing-before-reclaiming)');
    const target = { keys: 3, importingFrom: fromSource };
    expect(answer(exampleFacts({ ...forgotten, target }))).toBe('finaliseTarget (finalise-target)');
  });

  it('never takes a slot again that a third node may own', () => {
    const facts = exampleFacts({
      source: { owner: TARGET },
      target: { keys: 3, importingFrom: fromSource },
      witnesses: [TARGET, 'h9:6379'],
    });
    expect(answer(facts)).toBe('wait (witnesses-name-source)');
  });

  it('the source returns with old keys after the handover: closed, and counted as orphans', () => {
    const source = { owner: TARGET, importingFrom: toTarget, keys: 5 };
    const facts = exampleFacts({ ...handedOver, source });
    expect(answer(facts)).toBe('closeSource (close-given-up-slot)');
    const closed = exampleFacts({ ...handedOver, source: { owner: TARGET, keys: 5 } });
    expect(nextSlotAction(closed)).toMatchObject({ kind: 'done', moved: true, orphanKeys: 5 });
  });

  it('nobody or several own it: waited for, then left to a person with every view', () => {
    const nobody = { source: { owner: undefined }, target: { owner: undefined, keys: 2 } };
    expect(answer(exampleFacts(nobody))).toBe('wait (somebody-owns)');
    const action = nextSlotAction(exampleFacts({ ...nobody, facts: settledLong }));
    expect(action).toMatchObject({ kind: 'quarantine', rule: 'somebody-owns' });
    if (action.kind !== 'quarantine') return;
    expect(action.quarantined.evidence).toEqual([
      'h1:6379 (master) says nobody owns it, 0 keys',
      'h2:6379 (master) says nobody owns it, 2 keys',
      'h3:6379 (master) says h1:6379 owns it',
      'h4:6379 (master) says h1:6379 owns it',
      'h2:6380 (replica) says h1:6379 owns it',
      'h1:6380 (replica) says h1:6379 owns it',
    ]);
    const several = { witnesses: [SOURCE, 'h4:6379'], facts: settledLong };
    expect(answer(exampleFacts(several))).toBe('quarantine slot-owner-disputed (one-owner)');
    const kept = { ...handedOver, source: { keys: 2 }, facts: settledLong };
    expect(answer(exampleFacts(kept))).toBe(
      'quarantine slot-owner-disputed (no-keys-behind-the-target)',
    );
  });

  it('repairs nothing while a master is out of reach', () => {
    const silent = { node: TARGET, nodeId: TARGET, said: undefined };
    const facts = exampleFacts({ ...bothOpen, facts: { target: silent } });
    expect(answer(facts)).toBe('wait (target-answers)');
  });
});

describe('a slot with a key that is too large', () => {
  const oversized = { key: 'big', type: 'hash', bytes: 9e8, maxBytes: 6e7 };

  it('is closed before it is left to a person', () => {
    const task = { oversized, touched: true };
    expect(answer(exampleFacts({ ...bothOpen, task }))).toBe('closeTarget (close-target-first)');
    expect(answer(exampleFacts({ source: { keys: 2 }, task }))).toBe(
      'quarantine key-too-large (large-key)',
    );
  });

  it('is told with its size, and with the command that allows it', () => {
    const action = nextSlotAction(exampleFacts({ source: { keys: 2 }, task: { oversized } }));
    expect(action).toMatchObject({
      quarantined: {
        message: expect.stringContaining('takes 858 MiB, more than the 57.2 MiB'),
        remedy: expect.stringContaining('redrover cluster repair NAME --max-key-bytes 859mb'),
      },
    });
  });

  it('stays open where some of it has gone', () => {
    const target = { importingFrom: fromSource, keys: 1 };
    const facts = exampleFacts({ ...bothOpen, target, task: { oversized } });
    expect(answer(facts)).toBe('quarantine key-too-large (large-key-half-way)');
  });
});

it('names every rule once, and says why it is there', () => {
  const names = SLOT_RULES.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const { reason } of SLOT_RULES) expect(reason.length).toBeGreaterThan(30);
});
