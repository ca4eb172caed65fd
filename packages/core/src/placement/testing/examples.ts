/** Specs and hosts that the tests of placement start from. */
import type { Host, HostFacts } from '../../model/host.ts';
import type { ClusterSpec, PlacementSpec } from '../../model/spec.ts';
import type { LayoutPlan } from '../layout-plan.ts';
import { planLayout } from '../plan-layout.ts';

const GIBIBYTE = 1024 ** 3;

export function hostFacts(memoryBytes: number = 16 * GIBIBYTE): HostFacts {
  return {
    hostname: 'host',
    cores: 2,
    memoryBytes,
    diskTotalBytes: 100 * GIBIBYTE,
    diskFreeBytes: 50 * GIBIBYTE,
    kernel: '6.1',
    os: 'debian 12',
    arch: 'x86_64',
    libc: 'glibc 2.36',
    compiler: '',
    addresses: [],
    platform: 'linux-x86_64-glibc2.36-debian12',
    root: true,
    agentVersion: '0.1.0',
    rootDirectory: '/usr/local/redis',
  };
}

export function exampleHost(name: string, fields: Partial<Host> = {}): Host {
  return {
    name,
    address: `address-of-${name}`,
    labels: {},
    status: 'online',
    facts: hostFacts(),
    usedPorts: [],
    reservedBytes: 0,
    ...fields,
  };
}

/** `h1` to `h<count>`. */
export function exampleHosts(count: number): Host[] {
  return Array.from({ length: count }, (_, index) => exampleHost(`h${index + 1}`));
}

/** One host for each zone named. */
export function zonedHosts(zones: readonly string[]): Host[] {
  return zones.map((zone, index) => exampleHost(`h${index + 1}`, { labels: { zone } }));
}

export function exampleSpec(
  fields: Partial<Omit<ClusterSpec, 'placement'>> = {},
  placement: Partial<PlacementSpec> = {},
): ClusterSpec {
  return {
    name: 'shop',
    release: 'redis-7.0.15',
    shards: 3,
    replicas: 1,
    nodes: [],
    maxmemoryBytes: undefined,
    nodeTimeoutMs: 5000,
    repair: 'manual',
    repairQuietMs: 300_000,
    config: {},
    ...fields,
    placement: {
      hosts: [],
      basePort: 6379,
      zoneLabel: 'zone',
      allowSameHost: false,
      allowWeakQuorum: false,
      ...placement,
    },
  };
}

export function planNew(spec: ClusterSpec, hosts: readonly Host[]): LayoutPlan {
  return planLayout({ spec, hosts, current: undefined, clusterId: 'id', number: 1 });
}
