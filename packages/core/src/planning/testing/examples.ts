/** A small world for planner tests: a layout on a few hosts, and observations of it. */
import type { Attempt } from '../../model/operation.ts';
import type { HostFacts } from '../../model/host.ts';
import { busPortOf, nodeKey, type Layout, type LayoutNode } from '../../model/layout.ts';
import { DEFAULT_MOVE_OPTIONS } from '../../model/migration.ts';
import type {
  HostObservation,
  NodeObservation,
  Observation,
  ProcessObservation,
  RedisObservation,
  ViewNode,
} from '../../model/observation.ts';
import type { Release } from '../../model/release.ts';
import { splitSlotsEvenly } from '../../model/slots.ts';
import { stepKey, type Step } from '../../model/step.ts';
import { clusterViewOf } from '../../topology/cluster-view.ts';
import { planSteps } from '../plan-steps.ts';
import { settle } from '../settle.ts';
import { absentNode } from '../fresh-node.ts';
import { applyRound } from '../simulate.ts';
import type { PlanInput } from '../situation.ts';

export const NOW = 1_700_000_000_000;

export const release: Release = {
  name: 'redis-7.0.15',
  product: 'redis',
  version: '7.0.15',
  source: { kind: 'upload', fileName: 'redis-7.0.15.tar.gz' },
  sha256: '98066f5363504b26c34dd20fbcc3c957990d764cdf42576c836fc021073f4341',
};

export interface Shape {
  readonly hosts: number;
  readonly shards: number;
  readonly replicas: number;
}

/** Shard i has its master on host i and its replicas on the hosts after it, as placement does. */
export function layoutOf({ hosts, shards, replicas }: Shape): Layout {
  const nodes: LayoutNode[] = [];
  const usedPorts = new Map<number, number>();
  for (let shard = 0; shard < shards; shard += 1) {
    for (let member = 0; member <= replicas; member += 1) {
      const at = (shard + member) % hosts;
      const port = 6379 + (usedPorts.get(at) ?? 0);
      usedPorts.set(at, port - 6379 + 1);
      nodes.push({
        key: nodeKey(`h${at + 1}`, port),
        host: `h${at + 1}`,
        address: `10.0.0.${at + 1}`,
        port,
        busPort: busPortOf(port),
        shard: `s${shard + 1}`,
        preferredRole: member === 0 ? 'master' : 'replica',
        configEpoch: member === 0 ? shard + 1 : 0,
      });
    }
  }
  return {
    cluster: 'shop',
    clusterId: 'c-1',
    number: 1,
    release: release.name,
    shards: splitSlotsEvenly(shards).map((range, at) => ({ id: `s${at + 1}`, slots: [range] })),
    nodes,
    maxmemoryBytes: undefined,
    nodeTimeoutMs: 5000,
    config: {},
    zoneLabel: 'zone',
    allowSameHost: false,
    allowWeakQuorum: false,
    drainedHosts: [],
  };
}

export function factsOf(cores: number, platform = 'linux-x86_64-glibc2.36-debian12'): HostFacts {
  return {
    hostname: 'h',
    cores,
    memoryBytes: 8e9,
    diskTotalBytes: 1e11,
    diskFreeBytes: 5e10,
    kernel: '6.1',
    os: 'debian 12',
    arch: 'x86_64',
    libc: 'glibc 2.36',
    compiler: 'cc 12',
    addresses: [],
    platform,
    root: false,
    agentVersion: '0.1.0',
    rootDirectory: '/r',
  };
}

/** Hosts are online and have nothing on them. */
export function bareHosts(layout: Layout): Observation {
  const names = [...new Set(layout.nodes.map((node) => node.host))];
  return {
    hosts: Object.fromEntries(
      names.map((name) => [
        name,
        { name, status: 'online', lastSeenMs: NOW, facts: factsOf(2), builds: [], movers: [] },
      ]),
    ),
    nodes: Object.fromEntries(layout.nodes.map((node) => [node.key, absentNode(node, NOW)])),
    sharedBuilds: [],
  };
}

export function inputOf(layout: Layout, observation: Observation): PlanInput {
  const seen = { observation, history: [], now: NOW };
  return {
    layout,
    release,
    kind: 'create',
    former: [],
    purge: false,
    move: DEFAULT_MOVE_OPTIONS,
    ...seen,
  };
}

/** The world after whole turns, until `until` says so or the operation is done. */
export function playUntil(
  input: PlanInput,
  until: (steps: readonly Step[]) => boolean = () => false,
): PlanInput {
  let current = input;
  for (let turn = 0; turn < 60; turn += 1) {
    const next = planSteps(current);
    if (next.done || until(next.steps) || next.blockers.length > 0) return current;
    const history = [...current.history];
    for (const step of next.steps) history.push(attemptOf(step, { endedAtMs: current.now }));
    const observation = settle(applyRound(current.observation, next.steps, current.layout));
    current = { ...current, history, observation, now: current.now + 2000 };
  }
  throw new Error('the operation does not end');
}

/** A complete, verified cluster, as an operation that has just begun sees it. */
export function runningCluster(layout: Layout): PlanInput {
  const { observation } = playUntil(inputOf(layout, bareHosts(layout)));
  return inputOf(layout, observation);
}

export function attemptOf(step: Step, change: Partial<Attempt> = {}): Attempt {
  return {
    stepKey: stepKey(step),
    startedAtMs: NOW,
    endedAtMs: NOW,
    outcome: 'ok',
    errorCode: undefined,
    message: '',
    move: undefined,
    ...change,
  };
}

export function withNode(
  input: PlanInput,
  key: string,
  change: (node: NodeObservation) => NodeObservation,
): PlanInput {
  const node = input.observation.nodes[key];
  if (node === undefined) throw new Error(`no node ${key}`);
  const nodes = { ...input.observation.nodes, [key]: change(node) };
  return { ...input, observation: { ...input.observation, nodes } };
}

/** What nodes say of themselves, changed; everything else stays. */
export function withRedis(
  input: PlanInput,
  key: string,
  change: Partial<RedisObservation>,
): PlanInput {
  return withNode(input, key, (node) => {
    if (node.redis === undefined) throw new Error(`${key} does not answer`);
    return { ...node, redis: { ...node.redis, ...change } };
  });
}

export function withProcess(
  input: PlanInput,
  key: string,
  change: Partial<ProcessObservation>,
): PlanInput {
  return withNode(input, key, (node) => ({ ...node, process: { ...node.process, ...change } }));
}

export function withHost(
  input: PlanInput,
  name: string,
  change: Partial<HostObservation>,
): PlanInput {
  const host = input.observation.hosts[name];
  if (host === undefined) throw new Error(`no host ${name}`);
  const hosts = { ...input.observation.hosts, [name]: { ...host, ...change } };
  return { ...input, observation: { ...input.observation, hosts } };
}

/** The view of the node named by `holder`, with the entry about `about` changed. */
export function withViewEntry(
  input: PlanInput,
  { holder, about }: { readonly holder: string; readonly about: string },
  change: Partial<ViewNode>,
): PlanInput {
  const aboutId = input.observation.nodes[about]?.redis?.nodeId;
  return withNode(input, holder, (node) => {
    if (node.redis === undefined) throw new Error(`${holder} does not answer`);
    const nodes = node.redis.view.nodes.map((entry) =>
      entry.nodeId === aboutId ? { ...entry, ...change } : entry,
    );
    return { ...node, redis: { ...node.redis, view: clusterViewOf(nodes) } };
  });
}

/** The same change to an entry, in the view of every node. */
export function withAllViews(
  input: PlanInput,
  about: string,
  change: Partial<ViewNode>,
): PlanInput {
  return Object.keys(input.observation.nodes).reduce(
    (current, holder) => withViewEntry(current, { holder, about }, change),
    input,
  );
}

/** All nodes run and are empty: the moment from which forming a cluster is timed. */
export function startedNodes(layout: Layout): PlanInput {
  const isForming = (steps: readonly Step[]) => steps.some((step) => step.kind === 'setTiming');
  const { observation } = playUntil(inputOf(layout, bareHosts(layout)), isForming);
  return inputOf(layout, observation);
}
