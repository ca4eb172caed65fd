/** Addresses to listen on, as they are given on the command line: `HOST:PORT`, `[IPv6]:PORT`. */
import { isIP, isIPv6 } from 'node:net';

import { RedroverError } from '@redrover/core';

export interface ListenAddress {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

/** @throws RedroverError `invalid-argument`, naming the option and the expected form. */
export function parseListenAddress(option: string, text: string): ListenAddress {
  const match = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:[\]]+)):(?<port>\d{1,5})$/.exec(text);
  const host = match?.groups?.['v6'] ?? match?.groups?.['host'] ?? '';
  const port = Number(match?.groups?.['port']);
  const isAddress = isIP(host) !== 0 || host === 'localhost';
  if (match === null || !isAddress || port > 65_535) {
    throw new RedroverError(
      'invalid-argument',
      `${option}: expected ADDRESS:PORT, for example 127.0.0.1:7400, got "${text}"`,
    );
  }
  return { host, port };
}

export function formatAddress({ host, port }: ListenAddress): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether nothing but this machine can reach the address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}
