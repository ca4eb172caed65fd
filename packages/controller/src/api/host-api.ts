/** `redrover.api.v1.HostService`: hosts as they are now, and their tuning. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { Controller, Inject, UseFilters, UseGuards } from '@nestjs/common';
import { GrpcMethod } from '@nestjs/microservices';
import { RedroverError, type NodeObservation } from '@redrover/core';
import type {
  ApplyHostChangeRequest,
  ApplyHostChangeResponseSchema,
  CheckHostRequest,
  CheckHostResponseSchema,
  CommandResult,
  GetHostRequest,
  GetHostResponseSchema,
  HostSchema,
  ListHostsResponseSchema,
  PlanHostChangeRequest,
  PlanHostChangeResponseSchema,
  RemoveHostRequest,
  RemoveHostResponseSchema,
  TuneHostRequest,
  TuneHostResponseSchema,
  TuningItem,
} from '@redrover/proto';
import {
  hostChangeFromProto,
  hostFactsToProto,
  hostStatusToProto,
  nodeObservationToProto,
  numberToProto,
  operationToProto,
  requiredField,
  timestampToProto,
} from '@redrover/wire';

import type { CommandBody } from '../agents/agent-session.ts';
import type { Agents } from '../agents/agents.ts';
import type { Hosts, KnownHost } from '../agents/hosts.ts';
import type { Observations } from '../agents/observations.ts';
import type { Clusters } from '../clusters/clusters.ts';
import type { Examinations } from '../clusters/examinations.ts';
import { GrpcErrorFilter } from '../grpc/error-filter.ts';
import { ApiTokenGuard } from '../grpc/token-guard.ts';
import { AGENTS, CLUSTERS, EXAMINATIONS, HOSTS, OBSERVATIONS } from '../tokens.ts';
import { plannedHostChangeToProto } from './host-change-message.ts';

/** Reads a dozen files. */
const CHECK_TIMEOUT_MS = 15_000;
/** Writes a few files, and runs `sysctl` and the like. */
const TUNE_TIMEOUT_MS = 60_000;

@Controller()
@UseGuards(ApiTokenGuard)
@UseFilters(GrpcErrorFilter)
export class HostApi {
  readonly #hosts: Hosts;
  readonly #observations: Observations;
  readonly #agents: Agents;
  readonly #clusters: Clusters;
  readonly #examinations: Examinations;

  constructor(
    @Inject(HOSTS) hosts: Hosts,
    @Inject(OBSERVATIONS) observations: Observations,
    @Inject(AGENTS) agents: Agents,
    @Inject(CLUSTERS) clusters: Clusters,
    @Inject(EXAMINATIONS) examinations: Examinations,
  ) {
    this.#hosts = hosts;
    this.#observations = observations;
    this.#agents = agents;
    this.#clusters = clusters;
    this.#examinations = examinations;
  }

  @GrpcMethod('HostService', 'ListHosts')
  async listHosts(): Promise<MessageInitShape<typeof ListHostsResponseSchema>> {
    const drained = await this.#examinations.listDrained();
    return { hosts: this.#hosts.list().map((host) => this.#describe(host, drained)) };
  }

  @GrpcMethod('HostService', 'GetHost')
  async getHost(request: GetHostRequest): Promise<MessageInitShape<typeof GetHostResponseSchema>> {
    const host = this.#hosts.find(request.host);
    if (host === undefined) {
      throw new RedroverError(
        'not-found',
        `no host is called "${request.host}"; \`redrover host ls\` lists those that are known`,
      );
    }
    return { host: this.#describe(host, await this.#examinations.listDrained()) };
  }

  @GrpcMethod('HostService', 'CheckHost')
  async checkHost(
    request: CheckHostRequest,
  ): Promise<MessageInitShape<typeof CheckHostResponseSchema>> {
    const body: CommandBody = { case: 'checkTuning', value: {} };
    const what = `checking the tuning of ${request.host}`;
    const options = { timeoutMs: CHECK_TIMEOUT_MS };
    return { items: itemsOf(await this.#agents.command(request.host, what, body, options)) };
  }

  @GrpcMethod('HostService', 'TuneHost')
  async tuneHost(
    request: TuneHostRequest,
  ): Promise<MessageInitShape<typeof TuneHostResponseSchema>> {
    const body: CommandBody = { case: 'applyTuning', value: {} };
    const what = `tuning ${request.host}`;
    const options = { timeoutMs: TUNE_TIMEOUT_MS };
    return { items: itemsOf(await this.#agents.command(request.host, what, body, options)) };
  }

  @GrpcMethod('HostService', 'RemoveHost')
  async removeHost(
    request: RemoveHostRequest,
  ): Promise<MessageInitShape<typeof RemoveHostResponseSchema>> {
    await this.#agents.forgetHost(request.host);
    return {};
  }

  @GrpcMethod('HostService', 'PlanHostChange')
  async planHostChange(
    request: PlanHostChangeRequest,
  ): Promise<MessageInitShape<typeof PlanHostChangeResponseSchema>> {
    const change = hostChangeFromProto(requiredField(request.change, 'change'));
    return plannedHostChangeToProto(await this.#clusters.planHostChange(change));
  }

  @GrpcMethod('HostService', 'ApplyHostChange')
  async applyHostChange(
    request: ApplyHostChangeRequest,
  ): Promise<MessageInitShape<typeof ApplyHostChangeResponseSchema>> {
    const change = hostChangeFromProto(requiredField(request.change, 'change'));
    const operations = await this.#clusters.applyHostChange(change, request.fingerprints);
    return { operations: operations.map(operationToProto) };
  }

  #describe(
    host: KnownHost,
    drained: ReadonlyMap<string, readonly string[]>,
  ): MessageInitShape<typeof HostSchema> {
    return {
      drainedFor: [...(drained.get(host.name) ?? [])],
      name: host.name,
      address: host.address,
      labels: { ...host.labels },
      status: hostStatusToProto(host.status),
      lastSeen: timestampToProto(host.lastSeenMs),
      facts: host.facts === undefined ? undefined : hostFactsToProto(host.facts),
      builds: host.builds.map((build) => ({ ...build })),
      nodes: this.#observations.listOfHost(host.name).map(withoutView),
      loadAverage: host.loadAverage,
      agentRssBytes: numberToProto(host.agentRssBytes, 'agent_rss_bytes'),
    };
  }
}

/** Views of all nodes of all hosts would be megabytes that no list shows. */
function withoutView(node: NodeObservation) {
  return nodeObservationToProto(node, { view: 'hash' });
}

function itemsOf({ result }: CommandResult): TuningItem[] {
  return result.case === 'tuning' ? result.value.items : [];
}
