/**
 * What the controller promises about host changes and repairs: what is stored, refused, begun and
 * shown. Hosts are modelled; that real clusters get through all of this is tested end to end.
 */
import { parseSpec, type ClusterSpec, type Step } from '@redrover/core';
import {
  HostChangeKind,
  OperationKind,
  OperationState,
  ProcessState,
  type Plan,
} from '@redrover/proto';
import { clusterSpecToProto, layoutFromProto } from '@redrover/wire';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { ModelledHosts } from './modelled-hosts.ts';
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

async function killAndStartAgain(): Promise<void> {
  hangUp();
  await controller.end('SIGKILL');
  await startAgain();
}

const base = {
  name: 'c1',
  release: 'redis-7.2.4',
  shards: 3,
  replicas: 1,
  placement: { hosts: ['h1', 'h2', 'h3'] },
};

function specOf(change: object = {}) {
  const parsed = parseSpec({ ...base, ...change });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return clusterSpecToProto(parsed.spec);
}

async function planOf(spec = specOf()): Promise<Plan> {
  const { result } = await api.clusters.planCluster({ spec });
  if (result.case !== 'plan') throw new Error(JSON.stringify(result.value));
  return result.value;
}

/** Makes the cluster, in the model, and waits until it is complete. */
async function create(spec = specOf()): Promise<void> {
  const plan = await planOf(spec);
  know(plan);
  const { fingerprint } = plan;
  const { operation } = await api.clusters.applyCluster({ spec, fingerprint });
  await ended(operation?.id);
}

function know({ layout }: Plan): void {
  if (layout === undefined) throw new Error('a plan without a layout');
  hosts.know(layoutFromProto(layout));
}

async function stateOf(id: string) {
  return (await api.operations.getOperation({ operation: id })).operation;
}

/** Waits for the end, which has to be a good one. */
async function ended(id: string | undefined): Promise<void> {
  if (id === undefined) throw new Error('there is no operation');
  const operation = await until(`the end of ${id}`, async () => {
    const now = await stateOf(id);
    return now?.endedAt === undefined ? undefined : now;
  }).catch(async (error: unknown) => {
    const { waits, attempts } = await api.operations.getOperation({ operation: id });
    const done = attempts.map(({ stepKey, message }) => `${stepKey} ${message}`);
    throw new Error([...done, ...waits.map(({ reason }) => reason)].join('\n'), { cause: error });
  });
  expect(operation, operation.message).toMatchObject({ state: OperationState.DONE });
}

type Change = Parameters<ApiClients['hosts']['planHostChange']>[0]['change'];

const drain = (host: string): Change => ({ kind: HostChangeKind.DRAIN, host });
const undrain = (host: string): Change => ({ kind: HostChangeKind.UNDRAIN, host });
const replace = (host: string, successor: string): Change => ({
  kind: HostChangeKind.REPLACE,
  host,
  with: successor,
});

async function plansOf(change: Change): Promise<Plan[]> {
  const { result } = await api.hosts.planHostChange({ change });
  if (result.case !== 'plans') throw new Error(JSON.stringify(result.value));
  result.value.plans.forEach(know);
  return result.value.plans;
}

async function apply(change: Change, plans: readonly Plan[]) {
  const fingerprints = plans.map(({ fingerprint }) => fingerprint);
  return (await api.hosts.applyHostChange({ change, fingerprints })).operations;
}

/** Plans, applies, and waits until all of it is done. */
async function changeNow(change: Change): Promise<void> {
  for (const { id } of await apply(change, await plansOf(change))) await ended(id);
}

async function nodesOf(cluster = 'c1') {
  return (await api.clusters.getCluster({ cluster })).nodes;
}

async function layoutNumber(cluster = 'c1') {
  return (await api.clusters.getCluster({ cluster })).summary?.layoutNumber;
}

async function repairNow(cluster = 'c1'): Promise<void> {
  const { plan } = await api.clusters.planRepair({ cluster });
  const fingerprint = plan?.fingerprint ?? '';
  const { operation } = await api.clusters.repairCluster({ cluster, fingerprint });
  await ended(operation?.id);
}

/** Another node becomes master of the shard, as after a failover; the old one follows it. */
async function failOver(id = 's1'): Promise<{ readonly from: string; readonly to: string }> {
  const { layout } = await api.clusters.getCluster({ cluster: 'c1' });
  const members = layoutFromProto(layout ?? missing()).nodes.filter(({ shard }) => shard === id);
  const from = members.find(({ key }) => hosts.node(key).redis?.role === 'master');
  const to = members.find(({ key }) => hosts.node(key).redis?.role === 'replica');
  if (from === undefined || to === undefined)
    throw new Error('the shard has no master and replica');
  const masterNodeId = hosts.node(from.key).redis?.nodeId ?? '';
  const step: Step = {
    kind: 'handoffMaster',
    host: to.host,
    node: to.key,
    master: from.key,
    masterNodeId,
  };
  await hosts.happen(step);
  await until('the failover to be seen', async () => {
    const seen = (await nodesOf()).find(({ key }) => key === to.key);
    return seen?.redis?.nodeId !== undefined && seen.redis.role === 1;
  });
  return { from: from.key, to: to.key };
}

function missing(): never {
  throw new Error('the answer lacks something');
}

function rolesOn(host: string): string[] {
  const keys = Array.from({ length: 4 }, (_, at) => `${host}:${6379 + at}`);
  return keys.flatMap((key) => {
    try {
      const { process, redis } = hosts.node(key);
      return process.state === 'absent' ? [] : [`${process.state} ${redis?.role ?? ''}`.trim()];
    } catch {
      // The model has no such node.
      return [];
    }
  });
}

test('a host is drained and undrained: nodes stop and come back, and it says for whom', async () => {
  await create();
  const plans = await plansOf(drain('h2'));
  expect(plans).toHaveLength(1);
  expect(plans[0]?.layout).toMatchObject({ number: 2, drainedHosts: ['h2'] });
  const kinds = plans[0]?.rounds.flatMap(({ steps }) => steps.map(({ step }) => step.case));
  expect(kinds).toContain('handoffMaster');
  expect(kinds).toContain('stopNode');
  const [operation] = await apply(drain('h2'), plans);
  expect(operation).toMatchObject({ reason: 'drain host h2', layoutNumber: 2, automatic: false });
  await ended(operation?.id);
  const stopped = (await nodesOf()).filter(({ host }) => host === 'h2');
  expect(stopped.map(({ process }) => process?.state)).toEqual([
    ProcessState.STOPPED,
    ProcessState.STOPPED,
  ]);
  const { host } = await api.hosts.getHost({ host: 'h2' });
  expect(host?.drainedFor).toEqual(['c1']);
  const listed = (await api.hosts.listHosts({})).hosts.map(({ drainedFor }) => drainedFor);
  expect(listed).toEqual([[], ['c1'], [], []]);
  // Once more: it says what is to be done instead.
  const { result } = await api.hosts.planHostChange({ change: drain('h2') });
  expect(JSON.stringify(result.value)).toContain('host undrain h2');
  await changeNow(undrain('h2'));
  expect(await layoutNumber()).toBe(3);
  const roles = (await nodesOf()).map(({ process }) => process?.state);
  expect(new Set(roles)).toEqual(new Set([ProcessState.RUNNING]));
  expect((await api.hosts.getHost({ host: 'h2' })).host?.drainedFor).toEqual([]);
});

test('a drain concerns every cluster on the host, all of them or none', async () => {
  await create();
  await create(specOf({ name: 'c2' }));
  const change = drain('h1');
  const plans = await plansOf(change);
  expect(plans.map(({ layout }) => layout?.cluster)).toEqual(['c1', 'c2']);
  const stale = { code: 'stale-plan', message: expect.stringContaining('host drain h1') };
  await expect(apply(change, plans.slice(0, 1))).rejects.toMatchObject(stale);
  expect([await layoutNumber('c1'), await layoutNumber('c2')]).toEqual([1, 1]);
  const operations = await apply(change, plans);
  expect(operations.map(({ cluster }) => cluster)).toEqual(['c1', 'c2']);
  for (const { id } of operations) await ended(id);
  expect(rolesOn('h1').every((state) => state.startsWith('stopped'))).toBe(true);
  expect((await api.hosts.getHost({ host: 'h1' })).host?.drainedFor).toEqual(['c1', 'c2']);
});

test('a plan that a failover has overtaken is refused, and nothing of it is stored', async () => {
  await create();
  const change = drain('h2');
  const plans = await plansOf(change);
  const { plan: repair } = await api.clusters.planRepair({ cluster: 'c1' });
  expect(repair?.empty).toBe(true);
  await failOver();
  await expect(apply(change, plans)).rejects.toMatchObject({ code: 'stale-plan' });
  const stale = { cluster: 'c1', fingerprint: repair?.fingerprint ?? '' };
  await expect(api.clusters.repairCluster(stale)).rejects.toMatchObject({ code: 'stale-plan' });
  expect(await layoutNumber()).toBe(1);
  expect((await api.operations.listOperations({ cluster: 'c1' })).operations).toHaveLength(1);
});

test('a host that no cluster uses has nothing to be planned, and an unknown one is no host', async () => {
  await create();
  expect(await plansOf(drain('h4'))).toEqual([]);
  await expect(api.hosts.planHostChange({ change: drain('h9') })).rejects.toMatchObject({
    code: 'not-found',
  });
  await expect(api.hosts.planHostChange({})).rejects.toMatchObject({ code: 'invalid-argument' });
  const { result } = await api.hosts.planHostChange({ change: replace('h1', 'h1') });
  expect(result).toMatchObject({ case: 'refusal', value: { reasons: [{ subject: 'h1' }] } });
});

test('what would cost slots or the majority is refused with the reason', async () => {
  await create();
  await changeNow(drain('h1'));
  const { result } = await api.hosts.planHostChange({ change: drain('h2') });
  expect(result.case).toBe('refusal');
  if (result.case !== 'refusal') return;
  expect(result.value.reasons.length).toBeGreaterThan(0);
});

test('nothing is planned beside an operation, and the answer names it', async () => {
  await create();
  const { to } = await failOver();
  hosts.refuse = () => 'not now';
  const { plan } = await api.clusters.planRepair({ cluster: 'c1' });
  expect(plan?.empty).toBe(false);
  const { operation } = await api.clusters.repairCluster({
    cluster: 'c1',
    fingerprint: plan?.fingerprint ?? '',
  });
  const id = operation?.id ?? '';
  await api.operations.pauseOperation({ operation: id });
  const refused = { code: 'failed-precondition', message: expect.stringContaining(id) };
  await expect(api.clusters.planRepair({ cluster: 'c1' })).rejects.toMatchObject(refused);
  await expect(api.hosts.planHostChange({ change: drain('h1') })).rejects.toMatchObject(refused);
  await api.operations.cancelOperation({ operation: id });
  const cancelled = await until('the end', async () => {
    const now = await stateOf(id);
    return now?.endedAt === undefined ? undefined : now;
  });
  expect(cancelled.message).toContain('redrover cluster repair c1');
  hosts.refuse = undefined;
  await repairNow();
  expect(hosts.node(to).redis?.role).toBe('replica');
});

test('a host change that was acknowledged survives SIGKILL whole, and goes on by itself', async () => {
  await create();
  await create(specOf({ name: 'c2' }));
  hosts.refuse = () => 'not now';
  const plans = await plansOf(drain('h3'));
  const operations = await apply(drain('h3'), plans);
  await controller.end('SIGKILL');
  await killAndStartAgain();
  expect([await layoutNumber('c1'), await layoutNumber('c2')]).toEqual([2, 2]);
  for (const { id } of operations) {
    expect(await stateOf(id)).toMatchObject({
      state: OperationState.RUNNING,
      reason: 'drain host h3',
      layoutNumber: 2,
    });
  }
  hosts.refuse = undefined;
  for (const { id } of operations) await ended(id);
  expect(rolesOn('h3').every((state) => state.startsWith('stopped'))).toBe(true);
});

test('a lost host is replaced, its nodes are forgotten, and the spec says where nodes are', async () => {
  await create();
  const before = (await nodesOf()).filter(({ host }) => host === 'h3');
  await failOver('s3');
  await hosts.crash(['h3']);
  await until(
    'h3 to be lost',
    async () => (await api.hosts.getHost({ host: 'h3' })).host?.status === 3,
  );
  await changeNow(replace('h3', 'h4'));
  const { layout, spec, summary } = await api.clusters.getCluster({ cluster: 'c1' });
  expect(summary?.layoutNumber).toBe(2);
  expect(layout?.nodes.map(({ host }) => host)).not.toContain('h3');
  expect(spec?.placement?.hosts).toEqual(['h1', 'h2', 'h4']);
  expect(rolesOn('h4')).toHaveLength(2);
  const gone = before.map(({ redis }) => redis?.nodeId);
  const known = hosts.node('h1:6379').redis?.view.nodes.map(({ nodeId }) => nodeId) ?? [];
  expect(known).toHaveLength(6);
  expect(known.filter((id) => gone.includes(id))).toEqual([]);
  // The file that the cluster was made from is of the past.
  const { result: answer } = await api.clusters.planCluster({ spec: specOf() });
  const reasons = answer.case === 'refusal' ? answer.value.reasons : [];
  expect(reasons.map(({ rule, evidence }) => [rule, ...evidence])).toEqual([
    ['change-not-supported', 'h4:6380'],
    ['change-not-supported', 'h4:6379'],
    ['spec-outdated', expect.stringContaining('placement: {"hosts":["h1","h2","h4"]')],
  ]);
  expect(await planOf(spec)).toMatchObject({ empty: true, findings: [] });
  // The host comes back with what it had, and that goes too.
  await hosts.connect(agentClient, ['h3']);
  await until('h3 to be online', async () => {
    const { plan } = await api.clusters.planRepair({ cluster: 'c1' });
    return plan?.empty === false;
  });
  await repairNow();
  expect(rolesOn('h3')).toEqual([]);
});

test('while most hosts are silent nothing is begun and nothing fails, and then it goes on', async () => {
  await create();
  const { to } = await failOver();
  hosts.refuse = () => 'not now';
  const { plan } = await api.clusters.planRepair({ cluster: 'c1' });
  const { operation } = await api.clusters.repairCluster({
    cluster: 'c1',
    fingerprint: plan?.fingerprint ?? '',
  });
  const id = operation?.id ?? '';
  hosts.silence(['h1', 'h2', 'h3']);
  const frozen = 'frozen: 3 of 4 hosts are silent; the controller may be the one that is cut off';
  await until('the freeze to be shown', async () => {
    const { waits } = await api.operations.getOperation({ operation: id });
    return waits.some(({ reason }) => reason === frozen);
  });
  hosts.refuse = undefined;
  const before = hosts.done.length;
  // h4 alone is heard; a freeze is no end, however often the hosts come and go.
  await hosts.connect(agentClient, ['h1']);
  await until('two hosts to be heard', async () => {
    const { waits } = await api.operations.getOperation({ operation: id });
    return !waits.some(({ reason }) => reason === frozen);
  });
  expect(hosts.node(to).redis?.role).toBe('master');
  expect((await stateOf(id))?.state).toBe(OperationState.RUNNING);
  expect(hosts.done.slice(before).filter((step) => !step.startsWith('probe'))).toEqual([]);
  await hosts.connect(agentClient, ['h2', 'h3']);
  await ended(id);
  expect(hosts.node(to).redis?.role).toBe('replica');
});

test('what a loss would cost is told by host and by zone', async () => {
  await create();
  const { outcomes } = await api.clusters.whatIf({ cluster: 'c1' });
  expect(outcomes.map(({ kind, domain }) => `${kind} ${domain}`)).toEqual([
    'host h1',
    'host h2',
    'host h3',
  ]);
  expect(outcomes[0]).toMatchObject({ quorumKept: true, lostSlots: [], mastersLeft: 2 });
  const all = await api.clusters.whatIf({ cluster: 'c1', zone: 'a' });
  expect(all.outcomes).toMatchObject([{ kind: 'zone', quorumKept: false, mastersLeft: 0 }]);
  await failOver();
  const drifted = await api.clusters.whatIf({ cluster: 'c1', host: 'h2' });
  expect(drifted.outcomes).toMatchObject([{ quorumKept: false }]);
  await expect(api.clusters.whatIf({ cluster: 'c1', host: 'h4' })).rejects.toMatchObject({
    code: 'not-found',
  });
});

test('stopped nodes are no reason to apply anything, but one to repair', async () => {
  await create();
  await hosts.setState('h2:6379', 'stopped');
  await until('it to be seen', async () => {
    return (await nodesOf()).some(({ process }) => process?.state === ProcessState.STOPPED);
  });
  const plan = await planOf();
  expect(plan).toMatchObject({ empty: true, findings: [{ rule: 'repair-needed' }] });
  expect(plan.findings[0]?.remedy).toContain('redrover cluster repair c1');
  const spec = specOf();
  const { operation } = await api.clusters.applyCluster({ spec, fingerprint: plan.fingerprint });
  expect(operation).toBeUndefined();
  await repairNow();
  expect(hosts.node('h2:6379').process.state).toBe('running');
  expect(await planOf()).toMatchObject({ empty: true, findings: [] });
  const { plan: again } = await api.clusters.planRepair({ cluster: 'c1' });
  const fingerprint = again?.fingerprint ?? '';
  expect(again?.empty).toBe(true);
  expect((await api.clusters.repairCluster({ cluster: 'c1', fingerprint })).operation).toBe(
    undefined,
  );
});

async function saveRepair(change: Partial<ClusterSpec>): Promise<void> {
  const spec = specOf(change);
  const plan = await planOf(spec);
  expect(plan.empty).toBe(true);
  const { fingerprint } = plan;
  expect((await api.clusters.applyCluster({ spec, fingerprint })).operation).toBeUndefined();
}

test('whether to repair by itself is saved, and nothing is done for it', async () => {
  await create();
  const plan = await planOf(specOf({ repair: 'auto' }));
  expect(plan.findings).toMatchObject([{ rule: 'spec-saved-only' }]);
  await saveRepair({ repair: 'auto', repairQuietMs: 9000 });
  await killAndStartAgain();
  const { spec, summary } = await api.clusters.getCluster({ cluster: 'c1' });
  expect(spec).toMatchObject({ repairQuietMs: 9000 });
  expect(summary?.layoutNumber).toBe(1);
  expect((await api.operations.listOperations({ cluster: 'c1' })).operations).toHaveLength(1);
});

async function rulesOf(): Promise<string[]> {
  const { findings } = await api.clusters.checkCluster({ cluster: 'c1' });
  return findings.map(({ rule }) => rule);
}

test('a cluster that may repair itself waits for quiet, says so, and brings roles home', async () => {
  await create(specOf({ repair: 'auto', repairQuietMs: 5000 }));
  expect(await rulesOf()).not.toContain('repair-waiting');
  const { to } = await failOver();
  const begin = Date.now();
  await until('it to be told', async () => (await rulesOf()).includes('repair-waiting'));
  const repair = await until('the repair', async () => {
    const { operations } = await api.operations.listOperations({ cluster: 'c1' });
    return operations.find(({ automatic }) => automatic);
  });
  expect(repair).toMatchObject({ kind: OperationKind.REPAIR, layoutNumber: 1 });
  expect(Date.now() - begin).toBeGreaterThan(4000);
  await ended(repair.id);
  expect(hosts.node(to).redis?.role).toBe('replica');
  await until('nothing more to be said', async () => !(await rulesOf()).includes('repair-waiting'));
  const { operations } = await api.operations.listOperations({ cluster: 'c1' });
  expect(operations).toHaveLength(2);
  const response = await fetch(`http://${controller.endpoints.http}/metrics`);
  const metrics = await response.text();
  expect(metrics).toMatch(
    /redrover_operations_total\{cluster="c1",kind="repair",automatic="true",state="done"\} 1/,
  );
  expect(metrics).toMatch(/redrover_cluster_findings\{cluster="c1",severity="critical"\} 0/);
});

test('nothing is repaired without being asked while two hosts are in trouble', async () => {
  await create(specOf({ repair: 'auto', repairQuietMs: 5000 }));
  await hosts.setState('h1:6380', 'held');
  await hosts.setState('h2:6380', 'held');
  await until('it to be told', async () => (await rulesOf()).includes('repair-frozen'));
  await hosts.setState('h1:6380', 'running');
  await until('it to be over', async () => !(await rulesOf()).includes('repair-frozen'));
  const { operations } = await api.operations.listOperations({ cluster: 'c1' });
  expect(operations.filter(({ automatic }) => automatic)).toEqual([]);
});

test('an unfinished creation is neither repaired nor changed', async () => {
  hosts.refuse = () => 'not now';
  const spec = specOf();
  const plan = await planOf(spec);
  know(plan);
  const { fingerprint } = plan;
  const { operation } = await api.clusters.applyCluster({ spec, fingerprint });
  await api.operations.cancelOperation({ operation: operation?.id ?? '' });
  await until('the end', async () => (await stateOf(operation?.id ?? ''))?.endedAt !== undefined);
  const refused = {
    code: 'failed-precondition',
    message: expect.stringContaining('redrover cluster apply'),
  };
  await expect(api.clusters.planRepair({ cluster: 'c1' })).rejects.toMatchObject(refused);
  await expect(api.hosts.planHostChange({ change: drain('h1') })).rejects.toMatchObject(refused);
});
