/**
 * A client of its own process that reads and writes at a steady rate and keeps each answer's time, for the latency
 * that users see while slots move. Ends when its standard input does, and prints its figures as one line of JSON.
 *
 * Arguments: `host:port`, operations a second; the password is in REDISCLI_AUTH.
 */
import { performance } from 'node:perf_hooks';

import { Cluster } from 'ioredis';

export interface LatencyReport {
  readonly count: number;
  readonly errors: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

const KEY_COUNT = 20_000;
const TICK_MS = 5;

const [address = '', rate = '500'] = process.argv.slice(2);
const [host = '', port = ''] = address.split(':');
const cluster = new Cluster([{ host, port: Number(port) }], {
  redisOptions: { password: process.env['REDISCLI_AUTH'] ?? '' },
  slotsRefreshTimeout: 5_000,
});
const timesMs: number[] = [];
let errors = 0;
let sent = 0;
const startTick = performance.now();

const timer = setInterval(() => {
  const due = ((performance.now() - startTick) / 1_000) * Number(rate);
  while (sent < due) send(sent++);
}, TICK_MS);

process.stdin.resume();
process.stdin.on('end', () => {
  clearInterval(timer);
  void cluster.quit().finally(report);
});

function send(index: number): void {
  const begun = performance.now();
  const key = `latency:${index % KEY_COUNT}`;
  const done = index % 4 === 0 ? cluster.set(key, index) : cluster.get(key);
  done.then(
    () => timesMs.push(performance.now() - begun),
    () => {
      errors += 1;
    },
  );
}

function report(): void {
  timesMs.sort((a, b) => a - b);
  const at = (part: number): number =>
    timesMs[Math.min(timesMs.length - 1, Math.floor(timesMs.length * part))] ?? Number.NaN;
  const figures: LatencyReport = {
    count: timesMs.length,
    errors,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    p999Ms: at(0.999),
    maxMs: at(1),
  };
  process.stdout.write(`${JSON.stringify(figures)}\n`);
}
