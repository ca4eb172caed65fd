/**
 * Wires the controller together for Nest: which object stands behind which token. The objects are
 * made in `parts.ts`; nothing is decided here.
 */
import { Module, type DynamicModule } from '@nestjs/common';

import { AgentApi } from './agents/agent-api.ts';
import { ClusterApi } from './api/cluster-api.ts';
import { HostApi } from './api/host-api.ts';
import { OperationApi } from './api/operation-api.ts';
import { ReleaseApi } from './api/release-api.ts';
import { GrpcErrorFilter } from './grpc/error-filter.ts';
import { AgentTokenGuard, ApiTokenGuard } from './grpc/token-guard.ts';
import { HttpApi } from './http/http-api.ts';
import type { ControllerParts } from './parts.ts';
import {
  AGENTS,
  BUILD_EXCHANGE,
  CLUSTERS,
  EXAMINATIONS,
  HOSTS,
  LOG,
  METRICS,
  OBSERVATIONS,
  OPERATIONS,
  RELEASES,
  STORE,
  TOKENS,
} from './tokens.ts';

@Module({})
// oxlint-disable-next-line typescript/no-extraneous-class -- Nest knows a module by its class.
class AppModule {}

export function appModuleOf(parts: ControllerParts): DynamicModule {
  return {
    module: AppModule,
    controllers: [AgentApi, HostApi, ReleaseApi, ClusterApi, OperationApi, HttpApi],
    providers: [
      ApiTokenGuard,
      AgentTokenGuard,
      GrpcErrorFilter,
      { provide: LOG, useValue: parts.log },
      { provide: TOKENS, useValue: parts.tokens },
      { provide: STORE, useValue: parts.store },
      { provide: HOSTS, useValue: parts.hosts },
      { provide: OBSERVATIONS, useValue: parts.observations },
      { provide: AGENTS, useValue: parts.agents },
      { provide: BUILD_EXCHANGE, useValue: parts.exchange },
      { provide: RELEASES, useValue: parts.releases },
      { provide: OPERATIONS, useValue: parts.operations },
      { provide: CLUSTERS, useValue: parts.clusters },
      { provide: EXAMINATIONS, useValue: parts.examinations },
      { provide: METRICS, useValue: parts.metrics },
    ],
  };
}
