/**
 * Wires the controller together for Nest: which object stands behind which token. The objects are
 * made in `run-controller.ts`; nothing is decided here.
 */
import { Module, type DynamicModule } from '@nestjs/common';

import { AgentApi } from './agents/agent-api.ts';
import type { Agents } from './agents/agents.ts';
import type { BuildExchange } from './agents/build-exchange.ts';
import type { Hosts } from './agents/hosts.ts';
import type { Observations } from './agents/observations.ts';
import { HostApi } from './api/host-api.ts';
import { GrpcErrorFilter } from './grpc/error-filter.ts';
import { AgentTokenGuard, ApiTokenGuard } from './grpc/token-guard.ts';
import type { Tokens } from './lifecycle/data-directory.ts';
import type { Logger } from 'pino';
import type { Store } from './store/store.ts';
import { AGENTS, BUILD_EXCHANGE, HOSTS, LOG, OBSERVATIONS, STORE, TOKENS } from './tokens.ts';

export interface Parts {
  readonly log: Logger;
  readonly tokens: Tokens;
  readonly store: Store;
  readonly hosts: Hosts;
  readonly observations: Observations;
  readonly agents: Agents;
  readonly exchange: BuildExchange;
}

@Module({})
export class AppModule {
  static of(parts: Parts): DynamicModule {
    return {
      module: AppModule,
      controllers: [AgentApi, HostApi],
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
      ],
    };
  }
}
