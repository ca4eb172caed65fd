/** `redrover.api.v1.ClusterService`: plan, apply, look, check, remove. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { Controller, Inject, UseFilters, UseGuards } from '@nestjs/common';
import { GrpcMethod } from '@nestjs/microservices';
import { RedroverError, type ClusterHealth as Health } from '@redrover/core';
import {
  ClusterHealth,
  type ApplyClusterRequest,
  type ApplyClusterResponseSchema,
  type CheckClusterRequest,
  type CheckClusterResponseSchema,
  type ClusterSpec,
  type ClusterSummarySchema,
  type GetClusterRequest,
  type GetClusterResponseSchema,
  type GetCredentialsRequest,
  type GetCredentialsResponseSchema,
  type ListClustersResponseSchema,
  type MoveOptions,
  type PlanClusterRequest,
  type PlanClusterResponseSchema,
  type PlanRemovalRequest,
  type PlanRemovalResponseSchema,
  type PlanRepairRequest,
  type PlanRepairResponseSchema,
  type PlanReshardRequest,
  type PlanReshardResponseSchema,
  type RemoveClusterRequest,
  type RemoveClusterResponseSchema,
  type RepairClusterRequest,
  type RepairClusterResponseSchema,
  type ReshardClusterRequest,
  type ReshardClusterResponseSchema,
  type TailNodeLogRequest,
  type TailNodeLogResponseSchema,
  type WhatIfRequest,
  type WhatIfResponseSchema,
} from '@redrover/proto';
import {
  clusterSpecFromProto,
  clusterSpecToProto,
  domainOutcomeToProto,
  findingToProto,
  layoutToProto,
  nodeObservationToProto,
  operationToProto,
  requiredField,
  reshardFromProto,
} from '@redrover/wire';

import type { Approved, Clusters } from '../clusters/clusters.ts';
import type { ClusterStatus, Examinations } from '../clusters/examinations.ts';
import { GrpcErrorFilter } from '../grpc/error-filter.ts';
import { ApiTokenGuard } from '../grpc/token-guard.ts';
import { CLUSTERS, EXAMINATIONS } from '../tokens.ts';
import { readMoveOptions } from './move-options.ts';
import { planToProto, plannedToProto } from './plan-message.ts';

const HEALTH: Readonly<Record<Health, ClusterHealth>> = {
  ok: ClusterHealth.OK,
  degraded: ClusterHealth.DEGRADED,
  down: ClusterHealth.DOWN,
  unknown: ClusterHealth.UNKNOWN,
};

/**
 * The views of so many nodes, each of so many lines of some 200 bytes, fit into one message
 * (16 MiB); of larger clusters only the hashes of the views are told.
 */
const MAX_NODES_WITH_VIEWS = 250;

@Controller()
@UseGuards(ApiTokenGuard)
@UseFilters(GrpcErrorFilter)
export class ClusterApi {
  readonly #clusters: Clusters;
  readonly #examinations: Examinations;

  constructor(
    @Inject(CLUSTERS) clusters: Clusters,
    @Inject(EXAMINATIONS) examinations: Examinations,
  ) {
    this.#clusters = clusters;
    this.#examinations = examinations;
  }

  @GrpcMethod('ClusterService', 'PlanCluster')
  async planCluster(
    request: PlanClusterRequest,
  ): Promise<MessageInitShape<typeof PlanClusterResponseSchema>> {
    const move = readMoveOptions(request.move);
    return plannedToProto(await this.#clusters.plan(specOf(request), move));
  }

  @GrpcMethod('ClusterService', 'ApplyCluster')
  async applyCluster(
    request: ApplyClusterRequest,
  ): Promise<MessageInitShape<typeof ApplyClusterResponseSchema>> {
    const operation = await this.#clusters.apply(specOf(request), approvedOf(request));
    return operation === undefined ? {} : { operation: operationToProto(operation) };
  }

  @GrpcMethod('ClusterService', 'ListClusters')
  async listClusters(): Promise<MessageInitShape<typeof ListClustersResponseSchema>> {
    return { clusters: (await this.#examinations.list()).map(summaryToProto) };
  }

  @GrpcMethod('ClusterService', 'GetCluster')
  async getCluster(
    request: GetClusterRequest,
  ): Promise<MessageInitShape<typeof GetClusterResponseSchema>> {
    const details = await this.#examinations.describe(request.cluster);
    const view = details.nodes.length > MAX_NODES_WITH_VIEWS ? 'hash' : 'full';
    return {
      summary: summaryToProto(details),
      spec: clusterSpecToProto(details.record.spec),
      layout: layoutToProto(details.record.layout),
      nodes: details.nodes.map((node) => nodeObservationToProto(node, { view })),
      findings: details.findings.map(findingToProto),
    };
  }

  @GrpcMethod('ClusterService', 'CheckCluster')
  async checkCluster(
    request: CheckClusterRequest,
  ): Promise<MessageInitShape<typeof CheckClusterResponseSchema>> {
    const { findings, passed } = await this.#examinations.check(request.cluster);
    return { findings: findings.map(findingToProto), passed: [...passed] };
  }

  @GrpcMethod('ClusterService', 'GetCredentials')
  async getCredentials(
    request: GetCredentialsRequest,
  ): Promise<MessageInitShape<typeof GetCredentialsResponseSchema>> {
    return this.#clusters.readCredentials(request.cluster);
  }

  @GrpcMethod('ClusterService', 'PlanRemoval')
  async planRemoval(
    request: PlanRemovalRequest,
  ): Promise<MessageInitShape<typeof PlanRemovalResponseSchema>> {
    return { plan: planToProto(await this.#clusters.planRemoval(request.cluster, request.purge)) };
  }

  @GrpcMethod('ClusterService', 'RemoveCluster')
  async removeCluster(
    request: RemoveClusterRequest,
  ): Promise<MessageInitShape<typeof RemoveClusterResponseSchema>> {
    const { cluster, purge, fingerprint } = request;
    const operation = await this.#clusters.remove(cluster, purge, fingerprint);
    return { operation: operationToProto(operation) };
  }

  @GrpcMethod('ClusterService', 'WhatIf')
  async whatIf(request: WhatIfRequest): Promise<MessageInitShape<typeof WhatIfResponseSchema>> {
    const host = request.host === '' ? undefined : request.host;
    const zone = request.zone === '' ? undefined : request.zone;
    const outcomes = await this.#examinations.whatIf(request.cluster, { host, zone });
    return { outcomes: outcomes.map(domainOutcomeToProto) };
  }

  @GrpcMethod('ClusterService', 'PlanRepair')
  async planRepair(
    request: PlanRepairRequest,
  ): Promise<MessageInitShape<typeof PlanRepairResponseSchema>> {
    const move = readMoveOptions(request.move);
    return { plan: planToProto(await this.#clusters.planRepair(request.cluster, move)) };
  }

  @GrpcMethod('ClusterService', 'RepairCluster')
  async repairCluster(
    request: RepairClusterRequest,
  ): Promise<MessageInitShape<typeof RepairClusterResponseSchema>> {
    const operation = await this.#clusters.repair(request.cluster, approvedOf(request));
    return operation === undefined ? {} : { operation: operationToProto(operation) };
  }

  @GrpcMethod('ClusterService', 'PlanReshard')
  async planReshard(
    request: PlanReshardRequest,
  ): Promise<MessageInitShape<typeof PlanReshardResponseSchema>> {
    const { cluster } = request;
    const change = reshardFromProto(requiredField(request.change, 'change'));
    const move = readMoveOptions(request.move);
    return plannedToProto(await this.#clusters.planReshard({ cluster, change, move }));
  }

  @GrpcMethod('ClusterService', 'ReshardCluster')
  async reshardCluster(
    request: ReshardClusterRequest,
  ): Promise<MessageInitShape<typeof ReshardClusterResponseSchema>> {
    const { cluster } = request;
    const change = reshardFromProto(requiredField(request.change, 'change'));
    const asked = { cluster, change, ...approvedOf(request) };
    const operation = await this.#clusters.reshard(asked);
    return operation === undefined ? {} : { operation: operationToProto(operation) };
  }

  @GrpcMethod('ClusterService', 'TailNodeLog')
  async tailNodeLog(
    request: TailNodeLogRequest,
  ): Promise<MessageInitShape<typeof TailNodeLogResponseSchema>> {
    const { cluster, node, lines } = request;
    return { lines: await this.#clusters.tailLog(cluster, node, lines) };
  }
}

function specOf({ spec }: { readonly spec?: ClusterSpec | undefined }) {
  if (spec !== undefined) return clusterSpecFromProto(spec);
  throw new RedroverError('invalid-argument', 'the request holds no spec');
}

function approvedOf(request: {
  readonly fingerprint: string;
  readonly move?: MoveOptions | undefined;
}): Approved {
  return { fingerprint: request.fingerprint, move: readMoveOptions(request.move) };
}

function summaryToProto(status: ClusterStatus): MessageInitShape<typeof ClusterSummarySchema> {
  const { layout } = status.record;
  const { operation } = status;
  return {
    name: layout.cluster,
    clusterId: layout.clusterId,
    release: layout.release,
    shards: layout.shards.length,
    nodes: layout.nodes.length,
    health: HEALTH[status.health],
    layoutNumber: layout.number,
    ...(operation === undefined ? {} : { operation: operationToProto(operation) }),
  };
}
