/**
 * A live writer, as a process of its own: an application that never rests, remembers every write that was
 * acknowledged, and tells afterwards which of them are gone. Its options are JSON in the first argument,
 * the password is in LIVE_WRITER_PASSWORD; commands come and answers go as lines of JSON (`protocol.ts`).
 * It ends when its input ends.
 */
import { createInterface } from 'node:readline';

import { openClient } from './clients.ts';
import { createLanes } from './lanes.ts';
import type { WriterCommand, WriterOptions } from './protocol.ts';
import { Writing } from './writing.ts';

const options = JSON.parse(process.argv[2] ?? '{}') as WriterOptions;
const client = openClient(options, process.env['LIVE_WRITER_PASSWORD'] ?? '');
const writing = new Writing(client, createLanes(options.prefix), options.opsPerSecond);

/** ioredis sends ASKING and never looks at its answer (`cluster/index.js`); the command after it is told of the break. */
process.on('unhandledRejection', (error) => {
  if ((error as Error).message !== 'Connection is closed.') throw error;
});

function answer(id: number, value: unknown): void {
  process.stdout.write(`${JSON.stringify({ id, answer: value })}\n`);
}

writing.start();
setTimeout(() => process.exit(1), options.maxDurationMs).unref();

const input = createInterface({ input: process.stdin });
input.on('line', (line) => {
  const { id, do: wanted } = JSON.parse(line) as WriterCommand;
  if (wanted === 'report') answer(id, writing.report());
  else void writing.stop().then((report) => answer(id, report));
});
input.on('close', () => {
  client.close();
  process.exit(0);
});
