/**
 * Looking at clusters: how they are, what is wrong with them, and what a loss would cost. The
 * answers are core's; here they get their input. Nothing is changed.
 */
import {
  checkCluster,
  examineCluster,
  summarizeCluster,
  whatIf,
  type ClusterHealth,
  type DomainOutcome,
  type Examination,
  type ExaminationInput,
  type Finding,
  type NodeObservation,
  type Operation,
  type WhatIfScope,
} from '@redrover/core';

import { takeSnapshot } from '../agents/snapshot.ts';
import type { ClusterRecord } from '../store/cluster-records.ts';
import { findCluster, formerNodes, observeNodes, type PlannerContext } from './cluster-plan.ts';
import { listPlanningHosts } from './planning-hosts.ts';
import type { RepairBoard } from './repair-board.ts';

export interface ClusterStatus {
  readonly record: ClusterRecord;
  readonly health: ClusterHealth;
  /** The operation under way. */
  readonly operation: Operation | undefined;
}

export interface ClusterDetails extends ClusterStatus {
  /** As they were seen last; nodes of which nothing is known are left out. */
  readonly nodes: readonly NodeObservation[];
  readonly findings: readonly Finding[];
}

export class Examinations {
  readonly #context: PlannerContext;
  readonly #repairs: RepairBoard;

  constructor(context: PlannerContext, repairs: RepairBoard) {
    this.#context = context;
    this.#repairs = repairs;
  }

  async list(): Promise<ClusterStatus[]> {
    const records = await this.#context.store.clusters.list();
    return Promise.all(records.map((record) => this.#statusOf(record)));
  }

  /** Names of the clusters that have a host under maintenance, by host. */
  async listDrained(): Promise<ReadonlyMap<string, readonly string[]>> {
    const records = await this.#context.store.clusters.list();
    const pairs = records.flatMap(({ name, layout }) =>
      layout.drainedHosts.map((host) => ({ host, name })),
    );
    const byHost = Map.groupBy(pairs, ({ host }) => host);
    return new Map([...byHost].map(([host, of]) => [host, of.map(({ name }) => name)]));
  }

  /** From what was seen last: heartbeats are a second old at the most. */
  async describe(name: string): Promise<ClusterDetails> {
    const record = await findCluster(this.#context, name);
    const { observations } = this.#context;
    return {
      ...(await this.#statusOf(record)),
      nodes: record.layout.nodes.flatMap(({ key }) => observations.find(key) ?? []),
      findings: await this.#examine(record),
    };
  }

  /** The findings of every cluster, from what was seen last. */
  async examineAll(): Promise<{ readonly cluster: string; readonly findings: Finding[] }[]> {
    const records = await this.#context.store.clusters.list();
    const all = records.map(async (record) => ({
      cluster: record.name,
      findings: await this.#examine(record, records),
    }));
    return Promise.all(all);
  }

  /** Asks every node now. */
  async check(name: string): Promise<Examination> {
    const record = await this.#observe(name);
    const { findings, passed } = checkCluster(await this.#examination(record));
    return { findings: [...findings, ...this.#repairs.findingsOf(name)], passed };
  }

  /** Asks every node now. @throws RedroverError `not-found` for the cluster, host or zone. */
  async whatIf(name: string, scope: WhatIfScope): Promise<DomainOutcome[]> {
    return whatIf(await this.#examination(await this.#observe(name)), scope);
  }

  async #observe(name: string): Promise<ClusterRecord> {
    const record = await findCluster(this.#context, name);
    const former = await formerNodes(this.#context, record);
    await observeNodes(this.#context, [...record.layout.nodes, ...former]);
    return record;
  }

  async #examine(record: ClusterRecord, records?: readonly ClusterRecord[]): Promise<Finding[]> {
    const found = examineCluster(await this.#examination(record, records));
    return [...found, ...this.#repairs.findingsOf(record.name)];
  }

  async #statusOf(record: ClusterRecord): Promise<ClusterStatus> {
    const { layout } = record;
    const former = await formerNodes(this.#context, record);
    const observation = takeSnapshot(this.#context, [...layout.nodes, ...former]);
    return {
      record,
      health: summarizeCluster(layout, observation, former).health,
      operation: this.#context.operations.findUnderWay(record.name),
    };
  }

  async #examination(
    record: ClusterRecord,
    records?: readonly ClusterRecord[],
  ): Promise<ExaminationInput> {
    const { layout, clusterId } = record;
    const clusters = records ?? (await this.#context.store.clusters.list());
    const former = await formerNodes(this.#context, record);
    const hosts = listPlanningHosts(this.#context, clusters, clusterId);
    const observation = takeSnapshot(this.#context, [...layout.nodes, ...former]);
    const underWay = this.#context.operations.findUnderWay(record.name);
    return { layout, former, observation, hosts, underWay, now: Date.now() };
  }
}
