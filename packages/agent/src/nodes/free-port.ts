/** Whether ports can be listened on, found by listening on them for a moment. */
import { createServer } from 'node:net';
import { RedroverError } from '@redrover/core';
import { errnoOf } from '../files/durable-file.ts';

/** @throws RedroverError that says who may hold the port, or that the address is not this host's. */
export async function requireFreePort(address: string, port: number, what: string): Promise<void> {
  try {
    await listenOnce(address, port);
  } catch (thrown) {
    throw portError(thrown, `${what}: ${address}:${port}`);
  }
}

/** Bus ports are `port + 10000`, so both must be free; below the kernel's ephemeral ports. */
const SCRATCH_FIRST = 20_011;
const SCRATCH_COUNT = 2_000;
const SCRATCH_TRIES = 50;

/** A port whose bus port is free as well. It may be taken by the time that it is used. */
export async function findScratchPort(address: string, random: () => number): Promise<number> {
  for (let attempt = 0; attempt < SCRATCH_TRIES; attempt += 1) {
    const port = SCRATCH_FIRST + Math.floor(random() * SCRATCH_COUNT);
    try {
      await listenOnce(address, port);
      await listenOnce(address, port + 10_000);
      return port;
    } catch (thrown) {
      if (errnoOf(thrown) !== 'EADDRINUSE') throw portError(thrown, `${address}:${port}`);
    }
  }
  throw new RedroverError(
    'resource-exhausted',
    `no pair of free ports between ${SCRATCH_FIRST} and ${SCRATCH_FIRST + SCRATCH_COUNT} on ` +
      `${address} (and 10000 above) for trying a config; look at \`ss -ltn\``,
  );
}

function listenOnce(address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve()));
  });
}

function portError(thrown: unknown, what: string): RedroverError {
  const hints: Readonly<Record<string, string>> = {
    EADDRINUSE:
      'something else listens there; stop it (`ss -ltnp` names it) or choose another port',
    EADDRNOTAVAIL: 'this host has no such address; correct --address of its agent',
    EACCES: 'ports below 1024 need root; choose a higher one',
  };
  const hint = hints[errnoOf(thrown)] ?? String(thrown);
  return new RedroverError('failed-precondition', `${what}: ${hint}`, { cause: thrown });
}
