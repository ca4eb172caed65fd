/**
 * What the controller promises while slots are moved: what is planned and shown, what a pause, a
 * cancellation, a lost agent and its own end do to it, and what is left to people. Hosts and their
 * movers are modelled; that slots get there is tested end to end.
 */
import { formatRanges, parseSpec, type Step } from '@redrover/core';
import {
  HostChangeKind,
  OperationKind,
  OperationState,
  RebalanceBy,
  Severity,
  type Plan,
} from '@redrover/proto';
import { clusterSpecToProto, layoutFromProto } from '@redrover/wire';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { ModelledHosts } from './modelled-hosts.ts';
import type { HeldMove } from './modelled-movers.ts';
import {
  ControllerProcess,
  dialAgents,
  dialApi,
  scratchDirectory,
  until,
  type ApiClients,
} from './support.ts';

const HOSTS = ['h1', 'h2', 'h3', 'h4'];

let scratch: ReturnType<typeof scratchDirectory>;
let controller: ControllerProcess;
let api: ApiClients;
let agentClient: ReturnType<typeof dialAgents>;
let hosts: ModelledHosts;

beforeEach(async () => {
  scratch = scratchDirectory();
  hosts = new ModelledHosts();
  await startAgain();
});

afterEach(async () => {
  hangUp();
  await controller.end();
  scratch.remove();
});

async function startAgain(): Promise<void> {
  controller = await ControllerProcess.start(scratch.path);
  api = dialApi(controller);
  agentClient = dialAgents(controller);
  await hosts.connect(agentClient, HOSTS);
}

function hangUp(): void {
  hosts.stop();
  api.close();
  agentClient.close();
}

function specOf(change: object = {}) {
  const base = { name: 'c1', release: 'redis-7.2.4', shards: 3, replicas: 1 };
  const parsed = parseSpec({ ...base, ...change });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return clusterSpecToProto(parsed.spec);
}

async function planOf(spec = specOf()): Promise<Plan> {
  const { result } = await api.clusters.planCluster({ spec });
  if (result.case !== 'plan') throw new Error(JSON.stringify(result.value));
  if (result.value.layout !== undefined) hosts.know(layoutFromProto(result.value.layout));
  return result.value;
}

async function apply(spec = specOf()): Promise<string> {
  const { fingerprint } = await planOf(spec);
  const { operation } = await api.clusters.applyCluster({ spec, fingerprint });
  return operation?.id ?? '';
}

async function create(): Promise<void> {
  await endsAs(await apply(), OperationState.DONE);
}

async function describe(operation: string) {
  return api.operations.getOperation({ operation });
}

async function endsAs(id: string, state: OperationState): Promise<string> {
  const operation = await until(`the end of ${id}`, async () => {
    const { operation: now } = await describe(id);
    return now?.endedAt === undefined ? undefined : now;
  }).catch(async (error: unknown) => {
    const { waits, attempts } = await describe(id);
    const done = attempts.map(({ stepKey, message }) => `${stepKey} ${message}`);
    throw new Error([...done, ...waits.map(({ reason }) => reason)].join('\n'), { cause: error });
  });
  expect(operation.state, operation.message).toBe(state);
  return operation.message;
}

async function nextMove(): Promise<HeldMove> {
  return until('a mover that is waited for', () =>
    hosts.movers.held.find(({ command }) => command !== undefined),
  );
}

/** Lets every mover finish until the operation ends. */
async function finishAll(id: string): Promise<void> {
  await until(`the end of ${id}`, async () => {
    for (const move of hosts.movers.held) if (move.command !== undefined) await hosts.finish(move);
    return (await describe(id)).operation?.endedAt !== undefined;
  });
}

const FOUR = { shards: 4 };

type Change = NonNullable<Parameters<ApiClients['clusters']['planReshard']>[0]['change']>;

const byMemory: Change = {
  change: { case: 'rebalance', value: { by: RebalanceBy.MEMORY, weights: { s1: 2 } } },
};
const named = (to: string): Change => ({
  change: { case: 'moveSlots', value: { slots: [{ start: 0, end: 9 }], to } },
});

async function planReshard(change: Change): Promise<Plan> {
  const { result } = await api.clusters.planReshard({ cluster: 'c1', change });
  if (result.case !== 'plan') throw new Error(JSON.stringify(result.value));
  return result.value;
}

test('a larger size is planned with its moves, moved, and nothing is left to do', async () => {
  await create();
  const plan = await planOf(specOf(FOUR));
  expect(plan).toMatchObject({ kind: OperationKind.CHANGE, reason: 'scale to 4 shards' });
  expect(plan.layout?.shards.map(({ id }) => id)).toEqual(['s1', 's2', 's3', 's4']);
  expect(plan.moves.map(({ from, to }) => `${from} > ${to}`).sort()).toEqual([
    's1 > s4',
    's2 > s4',
    's3 > s4',
  ]);
  const moved = plan.moves.reduce((sum, { keys }) => sum + Number(keys), 0);
  expect(moved).toBe(4096 * 10);
  expect(plan.moves[0]?.largestKey?.name).toBe('big');
  const id = await apply(specOf(FOUR));
  await finishAll(id);
  await endsAs(id, OperationState.DONE);
  const { attempts } = await describe(id);
  const slots = attempts.reduce((sum, { move }) => sum + (move?.slotsMoved ?? 0), 0);
  expect(slots).toBe(4096);
  const { layout, spec } = await api.clusters.getCluster({ cluster: 'c1' });
  expect(spec?.shards).toBe(4);
  expect(layout?.number).toBe(2);
  expect((await planOf(specOf(FOUR))).empty).toBe(true);
  const metrics = await (await fetch(`http://${controller.endpoints.http}/metrics`)).text();
  expect(metrics).toContain('redrover_moved_slots_total{cluster="c1",engine="migrate"} 4096');
});

test('who watches is told how far each mover is, also who comes late', async () => {
  await create();
  const id = await apply(specOf(FOUR));
  const move = await nextMove();
  await hosts.tell(move, 7);
  for (const _who of ['early', 'late']) {
    const seen = await firstProgress(id);
    expect(seen).toMatchObject({
      stepKey: expect.stringContaining(`${move.step.source.node} > ${move.step.target.node}`),
      move: { slotsDone: 7, source: move.step.source.node, state: 'moving' },
    });
  }
});

async function firstProgress(operation: string) {
  for await (const { event } of api.operations.watchOperation({ operation })) {
    if (event.case === 'progress') return event.value;
  }
  throw new Error('no progress was told');
}

test('a pause stops the movers, and going on moves what is left', async () => {
  await create();
  const id = await apply(specOf(FOUR));
  const { step } = await nextMove();
  await api.operations.pauseOperation({ operation: id });
  await until('no mover to be at work', () => hosts.movers.held.length === 0);
  const stopped = await until('the report of what was moved', async () => {
    const { attempts } = await describe(id);
    return attempts.find(({ move }) => move !== undefined);
  });
  expect(stopped).toMatchObject({ errorCode: 'cancelled', move: { slotsMoved: 100 } });
  expect((await describe(id)).operation?.state).toBe(OperationState.PAUSED);
  await api.operations.resumeOperation({ operation: id });
  const again = await nextMove();
  expect(formatRanges(again.step.slots)).not.toBe(formatRanges(step.slots));
  await finishAll(id);
  await endsAs(id, OperationState.DONE);
});

test('a cancellation stops the movers, says what was moved, and a repair does the rest', async () => {
  await create();
  const id = await apply(specOf(FOUR));
  await nextMove();
  const { length } = hosts.movers.held;
  await api.operations.cancelOperation({ operation: id });
  const message = await endsAs(id, OperationState.CANCELLED);
  expect(message).toContain(
    `${length * 100} slots with ${(length * 1000).toLocaleString('en')} keys had been moved`,
  );
  expect(message).toContain('redrover cluster repair c1');
  expect(hosts.movers.held).toEqual([]);
  const { plan } = await api.clusters.planRepair({ cluster: 'c1' });
  expect(plan?.moves.length).toBeGreaterThan(0);
  const fingerprint = plan?.fingerprint ?? '';
  const { operation } = await api.clusters.repairCluster({ cluster: 'c1', fingerprint });
  await finishAll(operation?.id ?? '');
  await endsAs(operation?.id ?? '', OperationState.DONE);
});

test('a mover goes on while its agent is away, and is waited for again afterwards', async () => {
  await create();
  const id = await apply(specOf(FOUR));
  const { host, mover, command } = await nextMove();
  hosts.silence([host]);
  await until('the attempt to end', async () => {
    const { attempts } = await describe(id);
    return attempts.some(({ stepKey, errorCode }) => {
      return stepKey.startsWith('moveSlots') && errorCode === 'unavailable';
    });
  });
  await hosts.connect(agentClient, [host]);
  const again = await until('the mover to be waited for again', () =>
    hosts.movers.held.find((move) => move.mover.id === mover.id && move.command !== command),
  );
  expect(again.mover).toEqual(mover);
  await finishAll(id);
  await endsAs(id, OperationState.DONE);
});

test('a mover goes on while the controller is dead, and is waited for again afterwards', async () => {
  await create();
  const id = await apply(specOf(FOUR));
  const { mover, command } = await nextMove();
  hangUp();
  await controller.end('SIGKILL');
  await startAgain();
  const again = await until('the mover to be waited for again', () =>
    hosts.movers.held.find((move) => move.mover.id === mover.id && move.command !== command),
  );
  expect(again.mover).toEqual(mover);
  await finishAll(id);
  await endsAs(id, OperationState.DONE);
});

const TOO_LARGE = {
  rule: 'key-too-large',
  message: 'Key big of slot 1 takes 3 GiB.',
  evidence: ['h1:6379 has 1 key in it'],
  remedy: 'Split it, or allow it with --max-key-bytes.',
};

test('a move that ended while no controller was there is in the journal all the same', async () => {
  await create();
  const id = await apply(specOf(FOUR));
  const { step } = await nextMove();
  hangUp();
  await controller.end();
  for (const move of hosts.movers.held) {
    // Nobody waits for any of them any more.
    move.command = undefined;
    if (move.step.source.node === step.source.node) hosts.finishUnheard(move);
  }
  await startAgain();
  await finishAll(id);
  await endsAs(id, OperationState.DONE);
  const { attempts } = await describe(id);
  const moves = attempts.flatMap(({ move }) => move ?? []);
  expect(moves.reduce((sum, { slotsMoved }) => sum + slotsMoved, 0)).toBe(4096);
  const key = `moveSlots ${step.source.node} > ${step.target.node} migrate`;
  expect(attempts.filter((each) => each.stepKey === key && each.move !== undefined)).toHaveLength(
    1,
  );
});

test('what a mover leaves to people ends the operation as that, and does not block the next', async () => {
  await create();
  const id = await apply(specOf(FOUR));
  const move = await nextMove();
  const slot = move.step.slots[0]?.start ?? 0;
  await hosts.finish(move, [{ slot, ...TOO_LARGE }]);
  await finishAll(id);
  const message = await endsAs(id, OperationState.NEEDS_DECISION);
  expect(message).toContain(TOO_LARGE.message);
  expect(message).toContain(TOO_LARGE.remedy);
  const metrics = await (await fetch(`http://${controller.endpoints.http}/metrics`)).text();
  expect(metrics).toContain('redrover_slots_quarantined{cluster="c1"} 1');
  const { plan } = await api.clusters.planRepair({ cluster: 'c1' });
  expect(plan?.moves.map(({ slots }) => slots.length)).toEqual([1]);
});

test('a target without memory for what it would get refuses the plan, and its fingerprint', async () => {
  const memory = { maxmemory: '100mb' };
  await endsAs(await apply(specOf(memory)), OperationState.DONE);
  hosts.bytesIn = () => 1_000_000;
  const spec = specOf({ ...memory, ...FOUR });
  const plan = await planOf(spec);
  expect(plan.findings).toContainEqual(
    expect.objectContaining({ rule: 'target-memory', severity: Severity.CRITICAL }),
  );
  const { fingerprint } = plan;
  await expect(api.clusters.applyCluster({ spec, fingerprint })).rejects.toMatchObject({
    code: 'failed-precondition',
    message: expect.stringContaining('maxmemory'),
  });
  hosts.bytesIn = () => 1_000;
  const id = await apply(spec);
  await finishAll(id);
  await endsAs(id, OperationState.DONE);
});

test.each([
  ['a latency of minutes', { maxLatencyMs: 60_000 }, /max_latency_ms: got 60000/],
  ['a rate that never ends', { rateBytesPerS: 1n }, /rate_bytes_per_s: got 1,/],
])('%s is refused before anything is planned', async (_what, move, message) => {
  const refused = { code: 'invalid-argument', message: expect.stringMatching(message) };
  await expect(api.clusters.planCluster({ spec: specOf(), move })).rejects.toMatchObject(refused);
});

test('slots are moved only in the way that was approved', async () => {
  await create();
  const spec = specOf(FOUR);
  const { fingerprint } = await planOf(spec);
  const move = { rateBytesPerS: 1_000_000n };
  await expect(api.clusters.applyCluster({ spec, fingerprint, move })).rejects.toMatchObject({
    code: 'stale-plan',
  });
});

test('what cannot be changed of a running cluster is refused, naming it', async () => {
  await create();
  const spec = specOf({ ...FOUR, nodeTimeoutMs: 9_000 });
  await expect(api.clusters.planCluster({ spec })).rejects.toMatchObject({
    code: 'failed-precondition',
    message: expect.stringMatching(/nodeTimeoutMs differ.*shards, replicas and placement/),
  });
});

test('a rebalance by memory is carried out as it was approved, though clients go on writing', async () => {
  await create();
  const { fingerprint, layout, reason } = await planReshard(byMemory);
  expect(reason).toBe('rebalance by memory');
  const shares = layout?.shards.map(({ slots }) =>
    slots.reduce((sum, { start, end }) => sum + end - start + 1, 0),
  );
  // A slot more or less, as what is in one of them cannot be shared.
  expect(shares?.map((count) => Math.round(count / 10) * 10)).toEqual([8190, 4100, 4100]);
  hosts.bytesIn = (slot) => slot * 100;
  expect((await planReshard(byMemory)).fingerprint).not.toBe(fingerprint);
  const request = { cluster: 'c1', change: byMemory, fingerprint };
  const { operation } = await api.clusters.reshardCluster(request);
  await finishAll(operation?.id ?? '');
  await endsAs(operation?.id ?? '', OperationState.DONE);
  const now = await api.clusters.getCluster({ cluster: 'c1' });
  expect(now.layout?.shards).toEqual(layout?.shards);
});

test('slots that are named go to the shard that is named, and to no other', async () => {
  await create();
  const { result } = await api.clusters.planReshard({ cluster: 'c1', change: named('s9') });
  expect(result).toMatchObject({ case: 'refusal', value: { reasons: [{ subject: 's9' }] } });
  const change = named('s3');
  const { fingerprint, moves } = await planReshard(change);
  expect(moves).toMatchObject([{ from: 's1', to: 's3', slots: [{ start: 0, end: 9 }] }]);
  await expect(
    api.clusters.reshardCluster({ cluster: 'c1', change: named('s2'), fingerprint }),
  ).rejects.toMatchObject({ code: 'stale-plan' });
  const { operation } = await api.clusters.reshardCluster({ cluster: 'c1', change, fingerprint });
  await finishAll(operation?.id ?? '');
  await endsAs(operation?.id ?? '', OperationState.DONE);
  expect((await planReshard(change)).empty).toBe(true);
});

test('beside slots that are on their way nothing else is planned, and it is said what they are', async () => {
  await create();
  const id = await apply(specOf(FOUR));
  await nextMove();
  const beside = {
    code: 'failed-precondition',
    message: expect.stringMatching(new RegExp(`${id} \\(scale to 4 shards\\)`)),
  };
  const { clusters, hosts: hostApi } = api;
  const drain = { change: { kind: HostChangeKind.DRAIN, host: 'h1' } };
  await expect(hostApi.planHostChange(drain)).rejects.toMatchObject(beside);
  await expect(planReshard(named('s3'))).rejects.toMatchObject(beside);
  await expect(clusters.planRepair({ cluster: 'c1' })).rejects.toMatchObject(beside);
  await expect(clusters.planCluster({ spec: specOf() })).rejects.toMatchObject(beside);
  await finishAll(id);
  await endsAs(id, OperationState.DONE);
});

test('slots that somebody else has moved are not moved back without being asked', async () => {
  await endsAs(await apply(specOf({ repair: 'auto', repairQuietMs: 5_000 })), OperationState.DONE);
  const { plan: before } = await api.clusters.planRepair({ cluster: 'c1' });
  expect(before?.empty).toBe(true);
  const { layout } = await api.clusters.getCluster({ cluster: 'c1' });
  const endOf = (shard: string) => {
    const key = layout?.nodes.find((node) => node.shard === shard)?.key ?? '';
    const nodeId = hosts.node(key).redis?.nodeId ?? '';
    return { node: key, nodeId, address: '', port: 1 };
  };
  const [source, target] = [endOf('s1'), endOf('s2')];
  const slots = [{ start: 0, end: 9 }];
  await hosts.happen({ kind: 'moveSlots', source, target, slots } as unknown as Step);
  const finding = await until('it to be told', async () => {
    const { findings } = await api.clusters.getCluster({ cluster: 'c1' });
    return findings.find(({ rule }) => rule === 'repair-blocked');
  });
  expect(finding.message).toMatch(/10 slots of .* for a person to approve/);
  const { operations } = await api.operations.listOperations({ cluster: 'c1' });
  expect(operations).toHaveLength(1);
  const { plan } = await api.clusters.planRepair({ cluster: 'c1' });
  expect(plan?.moves).toMatchObject([{ from: 's2', to: 's1', slots }]);
});
