/**
 * `probeMesh`: whether this host reaches data and bus port of every node. A blocked bus port makes a
 * join wait for ever (redis#13268), so this comes before any MEET.
 */
import { connect } from 'node:net';
import { RedroverError, type ProbeMeshStep, type ProbeTarget } from '@redrover/core';
import { errnoOf } from '../files/durable-file.ts';
import type { StepEffect, StepRun } from './step-context.ts';

/** A firewall that drops packets answers nothing; the same data centre answers in a millisecond. */
const CONNECT_TIMEOUT_MS = 2_000;
/** A thousand nodes, all blocked, take 2000 / 64 × 2 s: about a minute. */
const CONCURRENCY = 64;
/** Of a whole blocked host each node would be named otherwise. */
const MAX_NAMED = 12;

interface Endpoint {
  readonly target: ProbeTarget;
  readonly kind: 'data' | 'bus';
  readonly port: number;
}

/** @throws RedroverError `unavailable` that names each unreachable pair. */
export async function probeMesh(
  { host, targets }: ProbeMeshStep,
  { signal }: StepRun,
): Promise<StepEffect> {
  const endpoints = targets.flatMap((target): Endpoint[] => [
    { target, kind: 'data', port: target.port },
    { target, kind: 'bus', port: target.busPort },
  ]);
  const failures: string[] = [];
  const left = [...endpoints];
  const probeNext = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      signal.throwIfAborted();
      const reason = await probe(next.target.address, next.port);
      if (reason === undefined) continue;
      failures.push(`${host} → ${next.target.address}:${next.port} (${next.kind}): ${reason}`);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, probeNext));
  if (failures.length > 0) throw unreachable(host, failures);
  return { touched: [], message: `${endpoints.length} ports reached` };
}

/** Why the port cannot be reached; undefined when it can. */
function probe(address: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const end = (reason: string | undefined): void => {
      socket.destroy();
      resolve(reason);
    };
    socket.setTimeout(CONNECT_TIMEOUT_MS, () =>
      end(`no answer within ${CONNECT_TIMEOUT_MS / 1000} s (blocked by a firewall?)`),
    );
    socket.once('connect', () => end(undefined));
    socket.once('error', (error) => end(describe(errnoOf(error))));
  });
}

function describe(errno: string): string {
  switch (errno) {
    case 'ECONNREFUSED':
      return 'refused (nothing listens there)';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'no route';
    default:
      return errno;
  }
}

function unreachable(host: string, failures: readonly string[]): RedroverError {
  const sorted = [...failures].sort();
  const more = sorted.length > MAX_NAMED ? `\n… and ${sorted.length - MAX_NAMED} more` : '';
  return new RedroverError(
    'unavailable',
    `${host} cannot reach ${failures.length} ports of the cluster:\n` +
      `${sorted.slice(0, MAX_NAMED).join('\n')}${more}`,
  );
}
