import type { Attempt, Step } from '@redrover/core';
import { expect, test } from 'vitest';

import type { Agents } from '../agents/agents.ts';
import type { Hosts } from '../agents/hosts.ts';
import type { Journal } from './journal.ts';
import { SilentFailures } from './silent-failures.ts';

const start: Step = { kind: 'startNode', host: 'h1', node: 'h1:6379' };

function journalOf(...messages: string[]): Journal {
  const history = messages.map((message): Attempt => ({
    stepKey: 'startNode h1:6379',
    startedAtMs: 1,
    endedAtMs: 2,
    outcome: 'failed',
    errorCode: 'unavailable',
    message,
    move: undefined,
  }));
  const entries = history.map((attempt, position) => ({ position, attempt }));
  return { history, entries } as unknown as Journal;
}

function failuresOf(journal: Journal, heard: { connected: boolean; online: boolean }) {
  const agents = { isConnected: () => heard.connected } as unknown as Agents;
  const hosts = {
    find: () => ({ status: heard.online ? 'online' : 'suspect' }),
  } as unknown as Hosts;
  return new SilentFailures({ agents, hosts }, journal);
}

const SILENT = { code: 'unavailable', gotOn: false } as const;

const toldOf = (failures: SilentFailures) => failures.history.map(({ message }) => message);

test('what failed because its host fell silent does not count, and stays in the journal', () => {
  const heard = { connected: true, online: true };
  const journal = journalOf('the node refused', 'the session ended', 'no beat came');
  const failures = failuresOf(journal, heard);
  failures.note(0, start, SILENT);
  heard.connected = false;
  failures.note(1, start, SILENT);
  heard.connected = true;
  heard.online = false;
  failures.note(2, start, { code: 'deadline-exceeded', gotOn: false });
  expect(toldOf(failures)).toEqual(['the node refused']);
  expect(journal.history).toHaveLength(3);
});

test('what the host itself said counts, also if it fell silent right after', () => {
  const failures = failuresOf(journalOf('the archive is damaged'), {
    connected: false,
    online: false,
  });
  failures.note(0, start, { code: 'integrity', gotOn: false });
  expect(toldOf(failures)).toEqual(['the archive is damaged']);
});

test('a step that takes its agent down each time does not go on for ever', () => {
  const messages = Array.from({ length: 30 }, (_, at) => `${at}`);
  const failures = failuresOf(journalOf(...messages), { connected: false, online: false });
  for (const at of messages.keys()) failures.note(at, start, SILENT);
  expect(toldOf(failures)).toEqual(messages.slice(20));
});

test('steps of silent hosts are waited for, each host once', () => {
  const failures = failuresOf(journalOf(), { connected: false, online: true });
  expect(failures.waitsOf([start, { ...start, node: 'h1:6380' }])).toEqual([
    { subject: 'h1', reason: 'its agent is silent' },
  ]);
});

const move = {
  kind: 'moveSlots',
  host: 'h1',
  node: 'h1:6379',
  source: { node: 'h1:6379' },
  target: { node: 'h2:6379' },
  engine: 'migrate',
} as unknown as Step;

test('slots that get on with each try are moved however often their agent is silent', () => {
  const messages = Array.from({ length: 100 }, (_, at) => `${at}`);
  const failures = failuresOf(journalOf(...messages), { connected: false, online: false });
  for (const at of messages.keys()) {
    failures.note(at, move, { code: 'unavailable', gotOn: at % 15 === 0 });
  }
  expect(toldOf(failures)).toEqual([]);
});
