import { expect, test } from 'vitest';

import type { Agents } from '../agents/agents.ts';
import type { Hosts } from '../agents/hosts.ts';
import { ObservationRequests } from './observation-requests.ts';

const everyHostIsOnline = { find: () => ({ status: 'online' }) } as unknown as Hosts;
const wanted = new Map([['h1', ['h1:6379']]]);

/** Agents that answer when they are told to. */
function slowAgents() {
  const asked: PromiseWithResolvers<void>[] = [];
  const observe = (): Promise<void> => {
    const answer = Promise.withResolvers<void>();
    asked.push(answer);
    return answer.promise;
  };
  const answerNext = async (): Promise<void> => {
    asked.shift()?.resolve();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { agents: { observe } as unknown as Agents, asked, answerNext };
}

test('a host that has not answered is not asked again', async () => {
  const { agents, asked, answerNext } = slowAgents();
  const requests = new ObservationRequests({ agents, hosts: everyHostIsOnline }, () => {});
  requests.ask(wanted);
  requests.ask(wanted);
  await answerNext();
  expect(asked).toHaveLength(0);
});

test('after a change it is asked once more, as its answer may be older than that', async () => {
  const { agents, asked, answerNext } = slowAgents();
  const requests = new ObservationRequests({ agents, hosts: everyHostIsOnline }, () => {});
  requests.ask(wanted);
  requests.askAnew(wanted);
  requests.askAnew(wanted);
  expect(asked).toHaveLength(1);
  await answerNext();
  expect(asked).toHaveLength(1);
  await answerNext();
  expect(asked).toHaveLength(0);
});
