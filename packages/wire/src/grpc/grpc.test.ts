/** The adapter against a real grpc-js server on loopback: every method kind, every way to end. */
import * as grpc from '@grpc/grpc-js';
import { RedroverError } from '@redrover/core';
import type { ErrorCode } from '@redrover/core';
import { AgentService, HostService, OperationService, ReleaseService } from '@redrover/proto';
import type { SessionRequest, SessionResponse, UploadReleaseRequest } from '@redrover/proto';
import { afterEach, describe, expect, it } from 'vitest';
import { createClient } from './client.ts';
import { serverChannelOptions } from './channel-options.ts';
import { toPackageDefinition, toServiceDefinition } from './service-definition.ts';
import { GRPC_STATUS_BY_CODE, toGrpcError } from './status.ts';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0)) clean();
});

type Handlers = grpc.UntypedServiceImplementation;

async function serve(
  service:
    | typeof HostService
    | typeof AgentService
    | typeof ReleaseService
    | typeof OperationService,
  handlers: Handlers,
): Promise<string> {
  const server = new grpc.Server(serverChannelOptions());
  server.addService(toServiceDefinition(service), handlers);
  cleanups.push(() => server.forceShutdown());
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return `127.0.0.1:${port}`;
}

function client<S extends Parameters<typeof serve>[0]>(
  service: S,
  address: string,
  options?: Parameters<typeof createClient>[2],
): ReturnType<typeof createClient<S>> {
  const made = createClient(service, address, options);
  cleanups.push(() => made.close());
  return made;
}

async function errorOf(promise: Promise<unknown>): Promise<RedroverError> {
  const thrown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(RedroverError);
  return thrown as RedroverError;
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

const unusedAddress = '127.0.0.1:1';

describe('definitions', () => {
  it('have the paths, kinds and names that proto-loader would have loaded', () => {
    const definition = toPackageDefinition(AgentService, HostService);
    expect(Object.keys(definition)).toEqual([
      'redrover.agent.v1.AgentService',
      'redrover.api.v1.HostService',
    ]);
    expect(definition['redrover.agent.v1.AgentService']).toMatchObject({
      Session: {
        path: '/redrover.agent.v1.AgentService/Session',
        requestStream: true,
        responseStream: true,
        originalName: 'session',
      },
      DownloadBlob: { requestStream: false, responseStream: true, originalName: 'downloadBlob' },
      UploadBuild: { requestStream: true, responseStream: false, originalName: 'uploadBuild' },
    });
  });

  it('give loadPackageDefinition both spellings of each method on the prototype, where Nest looks', () => {
    const root = grpc.loadPackageDefinition({ ...toPackageDefinition(HostService) }) as never as {
      redrover: { api: { v1: { HostService: grpc.ServiceClientConstructor } } };
    };
    const { prototype } = root.redrover.api.v1.HostService;
    expect(prototype['ListHosts']).toBe(prototype['listHosts']);
    expect(prototype['ListHosts'].path).toBe('/redrover.api.v1.HostService/ListHosts');
  });
});

describe('unary calls', () => {
  it('carry the request, the token and the answer, which may be an init shape', async () => {
    const address = await serve(HostService, {
      getHost: (
        call: grpc.ServerUnaryCall<{ host: string }, object>,
        done: grpc.sendUnaryData<object>,
      ) =>
        done(null, {
          host: { name: call.request.host, address: String(call.metadata.get('authorization')[0]) },
        }),
    });
    const response = await client(HostService, address, { token: 's3cret' }).getHost({
      host: 'h1',
    });
    expect(response.$typeName).toBe('redrover.api.v1.GetHostResponse');
    expect(response.host).toMatchObject({ name: 'h1', address: 'Bearer s3cret' });
  });

  it.each(Object.keys(GRPC_STATUS_BY_CODE) as ErrorCode[])(
    'bring the error %s back with code, message and context',
    async (code) => {
      const original = new RedroverError(code, `h1 sagt: 50 % – „nein“\nzweite Zeile`, {
        context: { host: 'h1', line: 'ünïcode\n' },
      });
      const address = await serve(HostService, {
        listHosts: (_: unknown, done: grpc.sendUnaryData<object>) => done(toGrpcError(original)),
      });
      const error = await errorOf(client(HostService, address).listHosts({}));
      expect(error.code).toBe(code);
      expect(error.message).toBe(original.message);
      expect(error.context).toEqual(original.context);
    },
  );

  it('bring back errors that are too long for a trailer, with the end of the longest text', async () => {
    const original = new RedroverError(
      'build-failed',
      `make failed: ${'ä'.repeat(100_000)}\ud800`,
      {
        context: { output: `${'é'.repeat(300_000)} the last line`, release: 'redis-7.0.15' },
      },
    );
    const address = await serve(HostService, {
      listHosts: (_: unknown, done: grpc.sendUnaryData<object>) => done(toGrpcError(original)),
    });
    const error = await errorOf(client(HostService, address).listHosts({}));
    expect(error.code).toBe('build-failed');
    expect(error.message).toMatch(/^make failed: ä+/);
    expect(error.context['output']).toMatch(/^…+é.* the last line$/);
    expect(error.context['release']).toBe('redis-7.0.15');
  });

  it('say `unavailable` and name the address when nobody listens', async () => {
    const error = await errorOf(client(HostService, unusedAddress).listHosts({}));
    expect(error.code).toBe('unavailable');
    expect(error.message).toContain(unusedAddress);
  });

  it('say `deadline-exceeded` when the answer takes longer than timeoutMs', async () => {
    const address = await serve(HostService, { listHosts: () => {} });
    const error = await errorOf(client(HostService, address).listHosts({}, { timeoutMs: 50 }));
    expect(error.code).toBe('deadline-exceeded');
  });

  it('keep the client’s own time limit when a call names none', async () => {
    const address = await serve(HostService, { listHosts: () => {} });
    const hosts = client(HostService, address, { timeoutMs: 50 });
    const error = await errorOf(hosts.listHosts({}, { timeoutMs: undefined }));
    expect(error.code).toBe('deadline-exceeded');
  });

  it('end with the reason of the signal, before and during the call', async () => {
    const controller = new AbortController();
    const address = await serve(HostService, { listHosts: () => controller.abort() });
    const hosts = client(HostService, address);
    const during = await errorOf(hosts.listHosts({}, { signal: controller.signal }));
    expect(during.code).toBe('cancelled');
    const reason = new RedroverError('fenced', 'a newer session took over');
    const before = await errorOf(hosts.listHosts({}, { signal: AbortSignal.abort(reason) }));
    expect(before).toBe(reason);
  });

  it('name the wrong listener when the service is not there', async () => {
    const address = await serve(AgentService, {});
    const error = await errorOf(client(HostService, address).listHosts({}));
    expect(error.code).toBe('failed-precondition');
    expect(error.message).toContain('another listener');
  });

  it('refuse messages beyond 16 MiB as `resource-exhausted`', async () => {
    const address = await serve(HostService, {
      getHost: (_: unknown, done: grpc.sendUnaryData<object>) => done(null, {}),
    });
    const hosts = client(HostService, address);
    await hosts.getHost({ host: 'x'.repeat(15 * 1024 * 1024) });
    const error = await errorOf(hosts.getHost({ host: 'x'.repeat(17 * 1024 * 1024) }));
    expect(error.code).toBe('resource-exhausted');
  });

  it('refuse a token that a header cannot hold, without repeating it', () => {
    expect(() => createClient(HostService, unusedAddress, { token: 'se cret\n' })).toThrow(
      expect.objectContaining({
        code: 'invalid-argument',
        message: expect.not.stringContaining('cret'),
      }),
    );
  });
});

describe('server streaming', () => {
  const request = { operation: 'o1' };

  it('yields every message in order', async () => {
    const address = await serve(OperationService, {
      watchOperation: (call: grpc.ServerWritableStream<object, object>) => {
        for (let index = 0; index < 500; index += 1) {
          call.write({ event: { case: 'progress', value: { stepKey: `${index}` } } });
        }
        call.end();
      },
    });
    const events = await collect(client(OperationService, address).watchOperation(request));
    const keys = events.map(({ event }) => (event.case === 'progress' ? event.value.stepKey : ''));
    expect(keys).toEqual(Array.from({ length: 500 }, (_, index) => `${index}`));
  });

  it('yields what came before an error, then throws it', async () => {
    const address = await serve(OperationService, {
      watchOperation: (call: grpc.ServerWritableStream<object, object>) => {
        call.write({ event: { case: 'progress', value: { stepKey: 'a' } } });
        call.emit('error', toGrpcError(new RedroverError('not-found', 'no operation o1')));
      },
    });
    const seen: unknown[] = [];
    const error = await errorOf(
      (async () => {
        const events = client(OperationService, address).watchOperation(request);
        for await (const { event } of events) seen.push(event.case);
      })(),
    );
    expect(seen).toEqual(['progress']);
    expect(error).toMatchObject({ code: 'not-found', message: 'no operation o1' });
  });

  it('cancels the call when the loop is left early', async () => {
    const cancelled = Promise.withResolvers<void>();
    const address = await serve(OperationService, {
      watchOperation: (call: grpc.ServerWritableStream<object, object>) => {
        call.on('cancelled', () => cancelled.resolve());
        call.write({ event: { case: 'progress', value: { stepKey: 'a' } } });
      },
    });
    for await (const event of client(OperationService, address).watchOperation(request)) {
      expect(event.event.case).toBe('progress');
      break;
    }
    await cancelled.promise;
  });

  it('ends with the reason of the signal', async () => {
    const controller = new AbortController();
    const address = await serve(OperationService, {
      watchOperation: () => controller.abort(new RedroverError('cancelled', 'Ctrl-C')),
    });
    const { signal } = controller;
    const events = client(OperationService, address).watchOperation(request, { signal });
    expect((await errorOf(collect(events))).message).toBe('Ctrl-C');
  });

  it('says `unavailable` when the server dies', async () => {
    const server = { stop: () => {} };
    const address = await serve(OperationService, {
      watchOperation: (call: grpc.ServerWritableStream<object, object>) => {
        call.write({ event: { case: 'progress', value: { stepKey: 'a' } } }, () => server.stop());
      },
    });
    server.stop = cleanups.at(-1) as () => void;
    const error = await errorOf(collect(client(OperationService, address).watchOperation(request)));
    expect(['unavailable', 'cancelled']).toContain(error.code);
  });
});

describe('client streaming', () => {
  const chunk = new Uint8Array(256 * 1024);

  it('sends everything and returns the answer', async () => {
    const address = await serve(ReleaseService, {
      uploadRelease: async (
        call: grpc.ServerReadableStream<UploadReleaseRequest, object>,
        done: grpc.sendUnaryData<object>,
      ) => {
        let bytes = 0;
        for await (const { part } of call as AsyncIterable<UploadReleaseRequest>) {
          if (part.case === 'chunk') bytes += part.value.length;
        }
        done(null, { release: { release: { name: `${bytes}` } } });
      },
    });
    async function* parts() {
      yield { part: { case: 'header' as const, value: { fileName: 'redis.tar.gz' } } };
      for (let index = 0; index < 200; index += 1) {
        yield { part: { case: 'chunk' as const, value: chunk } };
      }
    }
    const response = await client(ReleaseService, address).uploadRelease(parts());
    expect(response.release?.release?.name).toBe(`${200 * chunk.length}`);
  });

  it('stops taking from the source when the server refuses, even while the source waits', async () => {
    const address = await serve(ReleaseService, {
      uploadRelease: (
        call: grpc.ServerReadableStream<UploadReleaseRequest, object>,
        done: grpc.sendUnaryData<object>,
      ) => {
        call.once('data', () => done(toGrpcError(new RedroverError('integrity', 'wrong hash'))));
      },
    });
    async function* parts() {
      yield { part: { case: 'chunk' as const, value: chunk } };
      await new Promise(() => {});
    }
    const error = await errorOf(client(ReleaseService, address).uploadRelease(parts()));
    expect(error).toMatchObject({ code: 'integrity', message: 'wrong hash' });
  });

  it('holds the source back while the server does not read', async () => {
    let taken = 0;
    const address = await serve(ReleaseService, { uploadRelease: () => {} });
    async function* parts() {
      for (; taken < 1_000; taken += 1) yield { part: { case: 'chunk' as const, value: chunk } };
    }
    const upload = client(ReleaseService, address).uploadRelease(parts(), { timeoutMs: 500 });
    expect((await errorOf(upload)).code).toBe('deadline-exceeded');
    expect(taken).toBeLessThan(100);
  });

  it('cancels the call and throws what the source threw', async () => {
    const cancelled = Promise.withResolvers<void>();
    const received = Promise.withResolvers<void>();
    const address = await serve(ReleaseService, {
      uploadRelease: (call: grpc.ServerReadableStream<UploadReleaseRequest, object>) => {
        call.on('cancelled', () => cancelled.resolve());
        call.on('data', () => received.resolve());
      },
    });
    async function* parts() {
      yield { part: { case: 'chunk' as const, value: chunk } };
      await received.promise;
      throw new RedroverError('not-found', 'the file went away');
    }
    const error = await errorOf(client(ReleaseService, address).uploadRelease(parts()));
    expect(error.message).toBe('the file went away');
    await cancelled.promise;
  });
});

describe('bidirectional calls', () => {
  type Call = grpc.ServerDuplexStream<SessionRequest, SessionResponse>;
  const hello = { message: { case: 'hello' as const, value: { host: 'h1' } } };

  it('carry messages both ways until both sides are done', async () => {
    const address = await serve(AgentService, {
      session: (call: Call) => {
        call.on('data', ({ message }: SessionRequest) => {
          const id = message.case === 'hello' ? message.value.host : '';
          call.write({ message: { case: 'cancel', value: { id } } } as never);
        });
        call.on('end', () => call.end());
      },
    });
    const session = client(AgentService, address).session();
    await session.send(hello);
    await session.send(hello);
    session.close();
    const responses = await collect(session.messages);
    expect(responses.map(({ message }) => message)).toMatchObject([
      { case: 'cancel', value: { id: 'h1' } },
      { case: 'cancel', value: { id: 'h1' } },
    ]);
    expect((await errorOf(session.send(hello))).code).toBe('unavailable');
  });

  it('throw what ended the call from `messages` and from `send`, also when nobody iterated yet', async () => {
    const address = await serve(AgentService, {
      session: (call: Call) => {
        call.emit('error', toGrpcError(new RedroverError('unauthenticated', 'wrong token')));
      },
    });
    const session = client(AgentService, address).session();
    const sent = await errorOf(
      (async () => {
        for (;;) await session.send(hello);
      })(),
    );
    expect(sent).toMatchObject({ code: 'unauthenticated', message: 'wrong token' });
    expect((await errorOf(collect(session.messages))).code).toBe('unauthenticated');
  });

  it('say `unavailable` when nobody listens', async () => {
    const session = client(AgentService, unusedAddress).session();
    expect((await errorOf(collect(session.messages))).message).toContain(unusedAddress);
    expect((await errorOf(session.send(hello))).code).toBe('unavailable');
  });

  it('make send wait while the server does not read', async () => {
    const address = await serve(AgentService, { session: () => {} });
    const session = client(AgentService, address).session({ timeoutMs: 500 });
    const big = { message: { case: 'hello' as const, value: { host: 'x'.repeat(1024 * 1024) } } };
    let sent = 0;
    const error = await errorOf(
      (async () => {
        for (; sent < 100; sent += 1) await session.send(big);
      })(),
    );
    expect(error.code).toBe('deadline-exceeded');
    expect(sent).toBeLessThan(20);
  });

  it('end at both sides when cancelled, and when the loop is left', async () => {
    let cancelled = 0;
    const both = Promise.withResolvers<void>();
    const address = await serve(AgentService, {
      session: (call: Call) => {
        call.on('cancelled', () => {
          cancelled += 1;
          if (cancelled === 2) both.resolve();
        });
        call.write({ message: { case: 'welcome', value: {} } } as never);
      },
    });
    const agents = client(AgentService, address);
    const first = agents.session();
    for await (const response of first.messages) {
      expect(response.message.case).toBe('welcome');
      break;
    }
    const second = agents.session();
    const error = await errorOf(
      (async () => {
        for await (const _ of second.messages) second.cancel();
      })(),
    );
    expect(error.code).toBe('cancelled');
    await both.promise;
  });

  it('refuse to send after close', async () => {
    const address = await serve(AgentService, { session: () => {} });
    const session = client(AgentService, address).session();
    session.close();
    expect((await errorOf(session.send(hello))).code).toBe('failed-precondition');
    session.cancel();
    expect((await errorOf(collect(session.messages))).code).toBe('cancelled');
  });
});
