/** Finds ports for a playground's nodes that nobody uses, so that placement need not look for others. */
import { RedroverError, busPortOf } from '@redrover/core';
import { createServer } from 'node:net';

export interface PortInput {
  readonly addresses: readonly string[];
  /** On each address. */
  readonly count: number;
  /** Ports that other playgrounds have set aside but perhaps not opened yet. */
  readonly reserved: readonly { readonly basePort: number; readonly portCount: number }[];
}

// Redis' own port first; then steps that keep the numbers easy to read.
const FIRST_BASE_PORT = 6379;
const BASE_PORT_STEP = 100;

// With the bus 10,000 above, this stays below the ports that Linux hands out by itself (32768).
const LAST_BASE_PORT = 22_000;

/** The first base port from which all ports and bus ports are free on all addresses. */
export async function findBasePort(input: PortInput): Promise<number> {
  for (let base = FIRST_BASE_PORT; base <= LAST_BASE_PORT; base += BASE_PORT_STEP) {
    if (!isReserved(base, input) && (await areFree(base, input))) return base;
  }
  throw new RedroverError(
    'resource-exhausted',
    `no ${input.count} free ports in a row between ${FIRST_BASE_PORT} and ${LAST_BASE_PORT} on ` +
      `${input.addresses.join(', ')}: stop something that listens there`,
  );
}

function isReserved(base: number, { count, reserved }: PortInput): boolean {
  return reserved.some(
    ({ basePort, portCount }) => base < basePort + portCount && basePort < base + count,
  );
}

async function areFree(base: number, { addresses, count }: PortInput): Promise<boolean> {
  const ports = Array.from({ length: count }, (_, index) => base + index);
  const wanted = addresses.flatMap((address) =>
    ports.flatMap((port) => [
      { address, port },
      { address, port: busPortOf(port) },
    ]),
  );
  const free = await Promise.all(wanted.map(isFree));
  return free.every(Boolean);
}

async function isFree({ address, port }: { address: string; port: number }): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(false);
      else reject(error);
    });
    server.listen({ host: address, port, exclusive: true }, () =>
      server.close(() => resolve(true)),
    );
  });
}
