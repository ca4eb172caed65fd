/** `redrover.api.v1.OperationService`: the journal, and what is under way. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ServerWritableStream } from '@grpc/grpc-js';
import { Controller, Inject, UseFilters, UseGuards } from '@nestjs/common';
import { GrpcMethod } from '@nestjs/microservices';
import type {
  CancelOperationRequest,
  GetOperationRequest,
  GetOperationResponseSchema,
  ListOperationsRequest,
  ListOperationsResponseSchema,
  OperationSchema,
  PauseOperationRequest,
  ResumeOperationRequest,
  WatchOperationRequest,
  WatchOperationResponse,
  WatchOperationResponseSchema,
} from '@redrover/proto';
import {
  attemptToProto,
  moveProgressToProto,
  operationToProto,
  waitingToProto,
} from '@redrover/wire';
import { EMPTY, type Observable } from 'rxjs';

import { writeAll } from '../grpc/call-stream.ts';
import { GrpcErrorFilter } from '../grpc/error-filter.ts';
import { ApiTokenGuard } from '../grpc/token-guard.ts';
import type { OperationEvent } from '../operations/operation-feed.ts';
import type { Operations } from '../operations/operations.ts';
import { OPERATIONS } from '../tokens.ts';

interface OneOperation {
  readonly operation: MessageInitShape<typeof OperationSchema>;
}

@Controller()
@UseGuards(ApiTokenGuard)
@UseFilters(GrpcErrorFilter)
export class OperationApi {
  readonly #operations: Operations;

  constructor(@Inject(OPERATIONS) operations: Operations) {
    this.#operations = operations;
  }

  @GrpcMethod('OperationService', 'ListOperations')
  async listOperations(
    request: ListOperationsRequest,
  ): Promise<MessageInitShape<typeof ListOperationsResponseSchema>> {
    const operations = await this.#operations.list(request.cluster);
    return { operations: operations.map(operationToProto) };
  }

  @GrpcMethod('OperationService', 'GetOperation')
  async getOperation(
    request: GetOperationRequest,
  ): Promise<MessageInitShape<typeof GetOperationResponseSchema>> {
    const { operation, attempts, waits } = await this.#operations.describe(request.operation);
    return {
      operation: operationToProto(operation),
      attempts: attempts.map(attemptToProto),
      waits: waits.map(waitingToProto),
    };
  }

  @GrpcMethod('OperationService', 'WatchOperation')
  async watchOperation(
    request: WatchOperationRequest,
    _metadata: unknown,
    call: ServerWritableStream<WatchOperationRequest, WatchOperationResponse>,
  ): Promise<Observable<never>> {
    const watch = await this.#operations.watch(request.operation);
    await writeAll(call, toMessages(watch.events), () => watch.stop());
    return EMPTY;
  }

  @GrpcMethod('OperationService', 'PauseOperation')
  async pauseOperation(request: PauseOperationRequest): Promise<OneOperation> {
    return { operation: operationToProto(await this.#operations.pause(request.operation)) };
  }

  @GrpcMethod('OperationService', 'ResumeOperation')
  async resumeOperation(request: ResumeOperationRequest): Promise<OneOperation> {
    return { operation: operationToProto(await this.#operations.resume(request.operation)) };
  }

  @GrpcMethod('OperationService', 'CancelOperation')
  async cancelOperation(request: CancelOperationRequest): Promise<OneOperation> {
    return { operation: operationToProto(await this.#operations.cancel(request.operation)) };
  }
}

type EventMessage = MessageInitShape<typeof WatchOperationResponseSchema>;

async function* toMessages(events: AsyncIterable<OperationEvent>): AsyncGenerator<EventMessage> {
  for await (const event of events) yield toMessage(event);
}

function toMessage(event: OperationEvent): EventMessage {
  switch (event.kind) {
    case 'operation':
      return { event: { case: 'operation', value: operationToProto(event.operation) } };
    case 'attempt':
      return { event: { case: 'attempt', value: attemptToProto(event.attempt) } };
    case 'waits':
      return { event: { case: 'waits', value: { waits: event.waits.map(waitingToProto) } } };
    case 'progress': {
      const { stepKey, line, fraction, move } = event;
      const known = {
        ...(fraction === undefined ? {} : { fraction }),
        ...(move === undefined ? {} : { move: moveProgressToProto(move) }),
      };
      return { event: { case: 'progress', value: { stepKey, line, ...known } } };
    }
  }
}
