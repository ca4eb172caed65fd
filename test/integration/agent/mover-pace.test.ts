/** Gentle where clients are at work, by the servers' own counts; quick where nobody is. */
import { resolveLimits, type MoveSlotsStep } from '@redrover/core';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';

import { BareCluster, NODE_TIMEOUT_MS } from '../../support/migration/bare-cluster.ts';
import { StagedMove } from '../../support/migration/staged-move.ts';
import { until } from '../../support/until.ts';

type Name = 's' | 't' | 'w1' | 'w2';

/** Of tag `cv`. */
const SLOT = 40;
const KEYS = 20_000;
const AT_WORK = /clients are at work/;
/** Between two commands of a client. */
const CLIENT_EVERY_MS = 5;

let cluster: BareCluster<Name>;
let move: StagedMove | undefined;
const clients = new Set<Client>();

beforeEach(async () => {
  const release = inject('release');
  cluster = await BareCluster.start<Name>({ release, masters: ['s', 't', 'w1', 'w2'] });
});
afterEach(async () => {
  await Promise.all([...clients].map((client) => client.end()));
  const moving = move?.stop();
  move = undefined;
  await cluster?.stop();
  await moving;
});

class Client {
  readonly #work: Promise<void>;
  #hasEnded = false;

  constructor(node: Name) {
    clients.add(this);
    this.#work = this.#ask(node);
  }

  async end(): Promise<void> {
    this.#hasEnded = true;
    clients.delete(this);
    await this.#work;
  }

  async #ask(node: Name): Promise<void> {
    while (!this.#hasEnded) {
      await cluster.call(node, 'PUBLISH', 'news', 'of today');
      await delay(CLIENT_EVERY_MS);
    }
  }
}

function gently(): MoveSlotsStep {
  const step = cluster.step('s', 't', SLOT);
  return { ...step, options: { ...step.options, pace: 'gentle' } };
}

test('a mover notices when clients of either end begin, and when they have ended', async () => {
  const staged = new StagedMove(gently(), { holdAt: 'setImporting' });
  move = staged;
  await staged.held();
  await until('a mover that holds nobody back', () => !AT_WORK.test(staged.state));
  for (const end of ['s', 't'] as const) {
    const client = new Client(end);
    await staged.waits(AT_WORK);
    await client.end();
    await until('a mover that holds nobody back', () => !AT_WORK.test(staged.state));
  }
  staged.release();
  expect(await staged.outcome).toMatchObject({ ending: 'done', report: { slotsMoved: 1 } });
});

test('what a mover blocks its source for beside a client is no more than its share, by the count of the source', async () => {
  const fill = Array.from({ length: KEYS }, (_, n) =>
    cluster.call('s', 'SET', `{cv}${n}`, 'x'.repeat(100)),
  );
  await Promise.all(fill);
  const client = new Client('s');
  await until('a client at work', async () => (await callsOf('s', 'publish')) > 0);
  const startTick = performance.now();
  const staged = new StagedMove(gently());
  move = staged;
  expect(await staged.outcome).toMatchObject({ ending: 'done', report: { keysMoved: KEYS } });
  const elapsedMs = performance.now() - startTick;
  await client.end();
  const { busyShare } = resolveLimits(gently().options, NODE_TIMEOUT_MS);
  // Beside the share: what the budget may be late with, and one batch.
  expect(await usecOf('s', 'migrate')).toBeLessThan((busyShare * elapsedMs + 50) * 1000);
  // Many small ones: not all at once after a long rest.
  expect(await callsOf('s', 'migrate')).toBeGreaterThan(KEYS / 1000);
});

function callsOf(node: Name, command: string): Promise<number> {
  return countOf(node, command, 'calls');
}

function usecOf(node: Name, command: string): Promise<number> {
  return countOf(node, command, 'usec');
}

async function countOf(node: Name, command: string, what: string): Promise<number> {
  const text = String(await cluster.call(node, 'INFO', 'commandstats'));
  const line = new RegExp(`^cmdstat_${command}:(.*)$`, 'm').exec(text)?.[1] ?? '';
  return Number(new RegExp(`(?:^|,)${what}=(\\d+)`).exec(line)?.[1] ?? 0);
}
