/**
 * Brings a controller up and takes it down again: lock, store, sessions, operations, listeners,
 * in the order in which they depend on each other.
 */
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { RedroverError } from '@redrover/core';
import {
  AgentService,
  ClusterService,
  HostService,
  OperationService,
  ReleaseService,
} from '@redrover/proto';
import type { Logger } from 'pino';

import { appModuleOf } from './app-module.ts';
import { GrpcListener } from './grpc/grpc-listener.ts';
import { DataDirectory, type Endpoints } from './lifecycle/data-directory.ts';
import { lockDataDirectory } from './lifecycle/data-lock.ts';
import { formatAddress, isLoopback, type ListenAddress } from './lifecycle/listen-address.ts';
import { NestLogger } from './lifecycle/nest-logger.ts';
import { assembleParts, type ControllerParts } from './parts.ts';

export interface ControllerOptions {
  readonly data: string;
  readonly api: ListenAddress;
  readonly agents: ListenAddress;
  readonly http: ListenAddress;
  /** Allows addresses that other machines reach, although nothing is encrypted yet. */
  readonly insecureBind: boolean;
  readonly log: Logger;
}

export interface RunningController {
  readonly endpoints: Endpoints;
  /** Ends sessions and listeners, and closes the store; operations go on at the next start. */
  stop(): Promise<void>;
}

/** @throws RedroverError what keeps it from starting, and what to do about it. */
export async function runController(options: ControllerOptions): Promise<RunningController> {
  checkExposure(options);
  const directory = await DataDirectory.open(options.data);
  const lock = lockDataDirectory(directory.path);
  const undo: (() => Promise<void> | void)[] = [() => lock.release()];
  const takeDown = async (): Promise<void> => {
    for (const step of undo.splice(0).toReversed()) await step();
  };
  try {
    await directory.removeEndpoints();
    const parts = await assembleParts(directory, options.log);
    undo.push(() => parts.close());
    const endpoints = await listen(options, parts, undo);
    // Before the listeners go: agents and watchers are told why.
    undo.push(() => parts.stop());
    await parts.start();
    await directory.writeEndpoints(endpoints);
    undo.push(() => directory.removeEndpoints());
    options.log.info({ ...endpoints, data: directory.path }, 'controller is listening');
    return { endpoints, stop: takeDown };
  } catch (error) {
    await takeDown();
    throw error;
  }
}

function checkExposure({ api, agents, http, insecureBind }: ControllerOptions): void {
  if (insecureBind) return;
  for (const [option, { host }] of Object.entries({ api, agents, http })) {
    if (isLoopback(host)) continue;
    throw new RedroverError(
      'failed-precondition',
      `--${option} ${host}: connections are not encrypted yet (TLS is to come), so only loopback ` +
        'addresses are accepted; on a network that you trust, add --insecure-bind',
    );
  }
}

async function listen(
  options: ControllerOptions,
  parts: ControllerParts,
  undo: (() => Promise<void> | void)[],
): Promise<Endpoints> {
  const api = new GrpcListener({
    option: '--api',
    address: options.api,
    packageName: 'redrover.api.v1',
    services: [HostService, ReleaseService, ClusterService, OperationService],
  });
  const agents = new GrpcListener({
    option: '--agents',
    address: options.agents,
    packageName: 'redrover.agent.v1',
    services: [AgentService],
  });
  const app = await NestFactory.create<NestFastifyApplication>(
    appModuleOf(parts),
    new FastifyAdapter(),
    { logger: new NestLogger(options.log), abortOnError: false },
  );
  undo.push(() => app.close());
  app.connectMicroservice<MicroserviceOptions>({ strategy: api });
  app.connectMicroservice<MicroserviceOptions>({ strategy: agents });
  await app.startAllMicroservices();
  const httpAddress = await listenHttp(app, options.http);
  return {
    pid: process.pid,
    api: formatAddress(api.boundAddress),
    agents: formatAddress(agents.boundAddress),
    http: formatAddress(httpAddress),
  };
}

async function listenHttp(
  app: NestFastifyApplication,
  address: ListenAddress,
): Promise<ListenAddress> {
  try {
    await app.listen(address.port, address.host);
  } catch (error) {
    throw new RedroverError(
      'failed-precondition',
      `--http: cannot listen on ${formatAddress(address)}: ${(error as Error).message}; ` +
        'is it in use? Give another port, or 0 for any free one',
      { cause: error },
    );
  }
  const bound = app.getHttpServer().address();
  return { host: address.host, port: typeof bound === 'object' ? (bound?.port ?? 0) : 0 };
}
