/** What Prometheus may ask: read from the registries at the moment of the question. */
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';

import type { Agents } from '../agents/agents.ts';
import type { Hosts } from '../agents/hosts.ts';
import type { Observations } from '../agents/observations.ts';
import type { Examinations } from '../clusters/examinations.ts';
import type { Operations } from '../operations/operations.ts';
import type { ClusterRecords } from '../store/cluster-records.ts';

export interface MetricsSources {
  readonly examinations: Examinations;
  readonly hosts: Hosts;
  readonly observations: Observations;
  readonly agents: Agents;
  readonly operations: Operations;
  readonly clusters: ClusterRecords;
}

export class Metrics {
  readonly #registry = new Registry();

  constructor(sources: MetricsSources) {
    collectDefaultMetrics({ register: this.#registry, prefix: 'redrover_controller_' });
    this.#registerHosts(sources);
    this.#registerNodes(sources);
    this.#registerWork(sources);
    this.#countOperations(sources);
    this.#registerMoves(sources);
    this.#countMoved(sources);
    this.#registerFindings(sources);
  }

  async render(): Promise<string> {
    return this.#registry.metrics();
  }

  #registerHosts({ hosts, agents }: MetricsSources): void {
    this.#gauge('redrover_hosts', 'Known hosts by status', ['status'], (gauge) => {
      for (const status of ['online', 'suspect', 'lost']) gauge.set({ status }, 0);
      for (const { status } of hosts.list()) gauge.inc({ status });
    });
    this.#gauge('redrover_agent_sessions', 'Agents that are connected', [], (gauge) =>
      gauge.set(agents.connectedCount),
    );
    this.#gauge('redrover_agent_rss_bytes', 'Resident memory of an agent', ['host'], (gauge) => {
      for (const { name, agentRssBytes } of hosts.list()) gauge.set({ host: name }, agentRssBytes);
    });
  }

  #registerNodes({ hosts, observations }: MetricsSources): void {
    const nodes = () => hosts.list().flatMap(({ name }) => observations.listOfHost(name));
    this.#gauge('redrover_nodes', 'Nodes by state of their process', ['state'], (gauge) => {
      for (const { process } of nodes()) gauge.inc({ state: process.state });
    });
    this.#gauge('redrover_node_restarts', 'Restarts after crashes', ['node'], (gauge) => {
      for (const { key, process } of nodes()) gauge.set({ node: key }, process.restarts);
    });
    const perNode = [
      ['redrover_node_used_memory_bytes', 'Memory used by a node', 'usedMemoryBytes'],
      ['redrover_node_keys', 'Keys of a node', 'keys'],
      ['redrover_node_connected_clients', 'Clients of a node', 'connectedClients'],
      ['redrover_node_replication_offset', 'Replication offset', 'replicationOffset'],
    ] as const;
    for (const [name, help, field] of perNode) {
      this.#gauge(name, help, ['node', 'role'], (gauge) => {
        for (const { key, redis } of nodes()) {
          if (redis !== undefined) gauge.set({ node: key, role: redis.role }, redis[field]);
        }
      });
    }
    this.#gauge(
      'redrover_node_cluster_ok',
      '1 if the node says that all is well',
      ['node'],
      (g) => {
        for (const { key, redis } of nodes()) {
          g.set({ node: key }, redis?.clusterState === 'ok' ? 1 : 0);
        }
      },
    );
  }

  #registerWork({ operations, observations }: MetricsSources): void {
    this.#gauge('redrover_operations_under_way', 'Operations not ended', [], (gauge) =>
      gauge.set(operations.countUnderWay()),
    );
    this.#gauge('redrover_views', 'Distinct views of clusters that are held', [], (gauge) =>
      gauge.set(observations.viewCount),
    );
  }

  #registerFindings({ examinations }: MetricsSources): void {
    const help = 'What is wrong or risky in a cluster, by severity';
    const name = 'redrover_cluster_findings';
    this.#gauge(name, help, ['cluster', 'severity'], async (gauge) => {
      for (const { cluster, findings } of await examinations.examineAll()) {
        for (const severity of ['critical', 'warning', 'info']) gauge.set({ cluster, severity }, 0);
        for (const { severity } of findings) gauge.inc({ cluster, severity });
      }
    });
  }

  /** Since this process started. */
  #countOperations({ operations }: MetricsSources): void {
    const counter = new Counter({
      name: 'redrover_operations_total',
      help: 'Operations that have ended; automatic ones were begun by Redrover itself',
      labelNames: ['cluster', 'kind', 'automatic', 'state'],
      registers: [this.#registry],
    });
    operations.on('end', ({ cluster, kind, automatic, state }) =>
      counter.inc({ cluster, kind, automatic: String(automatic), state }),
    );
  }

  #registerMoves({ hosts, operations, clusters }: MetricsSources): void {
    const movers = 'Movers of slots that are at work, by engine';
    this.#gauge('redrover_movers', movers, ['cluster', 'engine'], (gauge) => {
      for (const mover of hosts.list().flatMap((host) => host.movers)) {
        gauge.inc({ cluster: mover.cluster, engine: mover.engine });
      }
    });
    const quarantined = 'Slots that were not moved and wait for a person to decide';
    this.#gauge('redrover_slots_quarantined', quarantined, ['cluster'], async (gauge) => {
      for (const { name, clusterId } of await clusters.list()) {
        gauge.set({ cluster: name }, await operations.countQuarantined(clusterId));
      }
    });
  }

  /** Since this process started; what a mover had done when its agent fell silent is not counted. */
  #countMoved({ operations }: MetricsSources): void {
    const counterOf = (what: 'slots' | 'keys' | 'bytes', help: string) =>
      new Counter({
        name: `redrover_moved_${what}_total`,
        help,
        labelNames: ['cluster', 'engine'],
        registers: [this.#registry],
      });
    const slots = counterOf('slots', 'Slots that were moved to another master');
    const keys = counterOf('keys', 'Keys that were moved with their slots');
    const bytes = counterOf('bytes', 'Bytes that were moved with their slots');
    operations.on('moved', (cluster, { engine, slotsMoved, keysMoved, bytesMoved }) => {
      slots.inc({ cluster, engine }, slotsMoved);
      keys.inc({ cluster, engine }, keysMoved);
      bytes.inc({ cluster, engine }, bytesMoved);
    });
  }

  #gauge<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    fill: (gauge: Gauge<Label>) => Promise<void> | void,
  ): void {
    const gauge = new Gauge<Label>({
      name,
      help,
      labelNames: [...labelNames],
      registers: [],
      async collect() {
        this.reset();
        await fill(this);
      },
    });
    this.#registry.registerMetric(gauge);
  }
}
