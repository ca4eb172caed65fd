/** `npm run playground`: from nothing to a checked cluster, and back to nothing at Ctrl-C. */
import { RedroverError } from '@redrover/core';
import { setTimeout as delay } from 'node:timers/promises';

import { fetchCluster } from '../commands/fetch-cluster.ts';
import { configPath, updateConfig, withContext, withCurrent } from '../context/config-file.ts';
import { ExitCode } from '../exit-code.ts';
import { Session } from '../program/session.ts';
import type { Terminal } from '../program/session.ts';
import { renderTopology } from '../render/topology.ts';
import { LocalStack, isStackRunning } from '../stack/local-stack.ts';
import type { Programs } from '../stack/programs.ts';
import type { StackHost } from '../stack/stack-record.ts';
import { chooseRelease } from './choose-release.ts';
import { claimInstance } from './claim.ts';
import { createCluster } from './create-cluster.ts';
import { writeInstance } from './instance.ts';
import type { Instance } from './instance.ts';
import type { PlaygroundOptions } from './options.ts';
import { stopInstance } from './stop.ts';

export interface PlaygroundInput {
  readonly playgrounds: string;
  readonly programs: Programs;
  readonly terminal: Terminal;
}

// 127.0.0.11 is h1: clear of 127.0.0.1, where people's own servers listen.
const FIRST_HOST_BYTE = 11;

// How soon the foreground notices that `down` was run elsewhere.
const STILL_RUNNING_POLL_MS = 500;

export async function startPlayground(
  input: PlaygroundInput,
  options: PlaygroundOptions,
): Promise<number> {
  const { programs, terminal } = input;
  const { env, stderr } = terminal;
  const note = (text: string): void => void stderr.write(`${text}\n`);
  const interruption = listenForInterruption();
  const hosts = hostList(options.hosts);
  const nodesPerHost = Math.ceil((options.shards * (1 + options.replicas)) / hosts.length);
  const instance = await claimInstance({
    playgrounds: input.playgrounds,
    name: options.name,
    addresses: hosts.map(({ address }) => address),
    // One host may carry a few more than its share when the others are full.
    portCount: nodesPerHost + 4,
    programs,
    env,
    note,
  });
  const stop = (): Promise<void> => stopInstance({ instance, programs, env });
  try {
    await bringUp({ input, options, instance, hosts, signal: interruption.signal, note });
    if (options.detach) {
      writeInstance(instance.directory, { ...recordOf(instance), owner: null });
      return ExitCode.done;
    }
    note('Ctrl-C stops it.');
    await untilStopped(instance, interruption.signal);
    note(`\nStopping ${instance.name}...`);
    await stop();
    note('Everything is stopped.');
    return ExitCode.done;
  } catch (thrown) {
    note(`Stopping what was started of ${instance.name}...`);
    await stop();
    if (interruption.signal.aborted) return ExitCode.interrupted;
    throw thrown;
  } finally {
    interruption.end();
  }
}

interface BringUpInput {
  readonly input: PlaygroundInput;
  readonly options: PlaygroundOptions;
  readonly instance: Instance;
  readonly hosts: readonly StackHost[];
  readonly signal: AbortSignal;
  readonly note: (text: string) => void;
}

async function bringUp({ input, options, instance, hosts, signal, note }: BringUpInput) {
  const { terminal, programs } = input;
  const stack = new LocalStack({
    directory: instance.directory,
    programs,
    hosts,
    cacheDirectory: terminal.env['REDROVER_CACHE'],
    env: terminal.env,
  });
  note(`Starting a controller and ${hosts.length} hosts for ${instance.name}...`);
  await stack.start();
  const controller = stack.endpoints().api;
  const { apiToken: tokenFile } = stack.paths;
  await setContext(instance.name, { controller, tokenFile }, terminal.env);
  const session = new Session(
    {
      context: undefined,
      controller,
      tokenFile,
      output: 'table',
      yes: true,
      color: true,
      timeoutMs: undefined,
    },
    terminal,
  );
  try {
    assertNotStopped(signal);
    const release = await chooseRelease(session, options.release);
    assertNotStopped(signal);
    const { name, basePort } = instance;
    const { shards, replicas } = options;
    const names = hosts.map((host) => host.name);
    await createCluster(session, {
      name,
      release,
      shards,
      replicas,
      hosts: names,
      basePort,
      signal,
    });
    await introduce(session, name);
  } finally {
    session.close();
  }
}

/** The picture, and what to type next. */
async function introduce({ api, output }: Session, name: string): Promise<void> {
  const details = await fetchCluster(api, name);
  const { style } = output.view;
  output.print(
    [
      '',
      renderTopology(details.nodes, output.view),
      '',
      `${style.strong(name)} is ${details.health}. Try:`,
      `  npx redrover cluster show ${name}`,
      `  npx redrover cluster connect ${name} -- SET greeting hello`,
      `  npx redrover cluster check ${name}`,
      `  npm run playground -- down --name ${name}`,
      '',
    ].join('\n'),
  );
}

function hostList(count: number): StackHost[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `h${index + 1}`,
    address: `127.0.0.${FIRST_HOST_BYTE + index}`,
  }));
}

async function setContext(
  name: string,
  context: { readonly controller: string; readonly tokenFile: string },
  env: NodeJS.ProcessEnv,
): Promise<void> {
  await updateConfig(configPath(env), (config) =>
    withCurrent(withContext(config, name, context), name),
  );
}

/** Until a signal says so, or `down` elsewhere has stopped it. */
async function untilStopped({ directory }: Instance, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && isStackRunning(directory)) {
    // An aborted wait is the answer to the loop's own question.
    await delay(STILL_RUNNING_POLL_MS, undefined, { signal }).catch(() => {});
  }
}

function listenForInterruption() {
  const controller = new AbortController();
  const interrupt = (): void => controller.abort();
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, interrupt);
  const end = (): void => signals.forEach((signal) => process.off(signal, interrupt));
  return { signal: controller.signal, end };
}

function assertNotStopped(signal: AbortSignal): void {
  if (signal.aborted) throw new RedroverError('cancelled', 'interrupted');
}

function recordOf({ name, owner, basePort, portCount, previousContext }: Instance) {
  return { name, owner, basePort, portCount, previousContext };
}
