/**
 * All agents: which session each host has, and the way to command a host or to ask what its nodes
 * do right now.
 */
import { isIP } from 'node:net';

import { RedroverError, type NodeKey } from '@redrover/core';
import type { CommandResult, Heartbeat, Hello, SessionRequest } from '@redrover/proto';
import {
  clusterViewFromProto,
  hostFactsFromProto,
  installedBuildFromProto,
  moverFromProto,
  numberFromProto,
  timestampFromProto,
} from '@redrover/wire';
import type { Logger } from 'pino';

import type { HostRecords } from '../store/host-records.ts';
import type { ControllerIdentity, MetaRecords } from '../store/meta-records.ts';
import { AgentSession, type CommandBody, type SessionCall } from './agent-session.ts';
import type { Hosts } from './hosts.ts';
import { HEARTBEAT_INTERVAL_MS } from './liveness.ts';
import { readNodeReports } from './node-reports.ts';
import type { Observations } from './observations.ts';
import type { CommandOptions } from './pending-commands.ts';

export interface AgentsOptions {
  readonly identity: ControllerIdentity;
  readonly hosts: Hosts;
  readonly observations: Observations;
  readonly hostRecords: HostRecords;
  readonly meta: MetaRecords;
  readonly log: Logger;
}

const HOST_NAME = /^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/;

/** Only a person raises it, once for each restored backup; a takeover has to get above it. */
const MAX_INCARNATION = 1_000_000_000n;

/** Reading the state of ten nodes takes milliseconds; a node that hangs must not hold up others. */
const OBSERVE_TIMEOUT_MS = 5_000;

export class Agents {
  readonly #options: AgentsOptions;
  readonly #sessions = new Map<string, AgentSession>();
  #isStopping = false;

  constructor(options: AgentsOptions) {
    this.#options = options;
  }

  /** Hosts with a session now. */
  get connectedCount(): number {
    return this.#sessions.size;
  }

  isConnected(host: string): boolean {
    return this.#sessions.get(host)?.isOpen === true;
  }

  /**
   * Opens the session that a hello asks for.
   *
   * @throws RedroverError `already-exists` while another living agent has the host's name.
   */
  async open(call: SessionCall, hello: Hello): Promise<AgentSession> {
    if (this.#isStopping) throw new RedroverError('unavailable', 'the controller is stopping');
    checkHello(hello);
    this.#takePlace(hello);
    const { identity, hosts, log } = this.#options;
    const session = new AgentSession(call, hello, await this.#refusalOf(hello));
    // Once more: another agent of this name may have come in meanwhile.
    this.#takePlace(hello);
    this.#sessions.set(hello.host, session);
    hosts.noteHello({
      name: hello.host,
      address: hello.address,
      labels: { ...hello.labels },
      facts: hello.facts === undefined ? undefined : hostFactsFromProto(hello.facts),
      builds: hello.builds.map((build) => installedBuildFromProto(build)),
    });
    await this.#saveHost(hello.host);
    session.send({
      case: 'welcome',
      value: {
        controllerId: identity.controllerId,
        incarnation: BigInt(identity.incarnation),
        heartbeatIntervalMs: HEARTBEAT_INTERVAL_MS,
      },
    });
    log.info({ host: hello.host, address: hello.address }, 'agent connected');
    return session;
  }

  receive(session: AgentSession, { message }: SessionRequest): void {
    const { hosts, observations } = this.#options;
    session.noteMessage();
    hosts.noteAlive(session.host);
    switch (message.case) {
      case 'heartbeat':
        this.#receiveHeartbeat(session, message.value);
        return;
      case 'views':
        observations.mergeViews(
          session.host,
          message.value.views.map((view) => clusterViewFromProto(view)),
        );
        return;
      case 'progress':
        session.pending.noteProgress(message.value);
        return;
      case 'result':
        this.#receiveResult(session, message.value);
        return;
      case 'hello':
      case undefined:
        throw new RedroverError('invalid-argument', 'a session has one hello, as first message');
    }
  }

  /** The stream ended, for whatever reason. */
  async closed(session: AgentSession): Promise<void> {
    const { observations, log } = this.#options;
    session.close('the connection to the agent was lost; whether it was done is unknown');
    if (this.#sessions.get(session.host) !== session) return;
    this.#sessions.delete(session.host);
    observations.forgetWaiting(session.host);
    log.info({ host: session.host }, 'agent disconnected');
    if (!this.#isStopping) await this.#saveHost(session.host);
  }

  /** As `AgentSession.command`; `not-found` or `unavailable` when the host has no session. */
  async command(
    host: string,
    description: string,
    body: CommandBody,
    options: CommandOptions,
  ): Promise<CommandResult> {
    return this.#sessionOf(host, description).command(description, body, options);
  }

  /**
   * Asks the hosts of these nodes for a fresh observation of them; heartbeats are not waited for.
   *
   * @returns what went wrong, by host; the nodes of the other hosts are fresh.
   */
  async observe(
    nodes: ReadonlyMap<string, readonly NodeKey[]>,
  ): Promise<Map<string, RedroverError>> {
    const failures = new Map<string, RedroverError>();
    await Promise.all(
      [...nodes].map(async ([host, keys]) => {
        const body: CommandBody = { case: 'observeNodes', value: { nodes: [...keys] } };
        const options = { timeoutMs: OBSERVE_TIMEOUT_MS };
        await this.command(host, `observing the nodes of ${host}`, body, options).catch(
          (error: unknown) => failures.set(host, RedroverError.from(error)),
        );
      }),
    );
    return failures;
  }

  /**
   * Forgets a host that is gone for good, and its nodes with it.
   *
   * @throws RedroverError `not-found`, or `failed-precondition` while it may come back by itself.
   */
  async forgetHost(name: string): Promise<void> {
    const { hosts, hostRecords, observations } = this.#options;
    const host = hosts.find(name);
    if (host === undefined) throw unknownHost(name);
    if (this.#sessions.has(name) || host.status !== 'lost') {
      throw new RedroverError(
        'failed-precondition',
        `host ${name} is ${host.status}: only a lost one can be forgotten; stop its agent first`,
      );
    }
    await hostRecords.remove(name);
    observations.forgetHost(name);
    hosts.forget(name);
  }

  /** Ends every session; agents go on by themselves and dial again. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const session of this.#sessions.values()) session.close('the controller is stopping');
    for (const name of this.#sessions.keys()) await this.#saveHost(name);
    this.#sessions.clear();
  }

  #sessionOf(host: string, description: string): AgentSession {
    const session = this.#sessions.get(host);
    if (session !== undefined) return session;
    if (this.#options.hosts.find(host) === undefined) throw unknownHost(host);
    throw new RedroverError(
      'unavailable',
      `${description}: host ${host} is not connected; see that its agent runs and reaches the ` +
        'controller, then try again',
    );
  }

  /**
   * A second agent with a name that is taken is refused while the first one is alive. A restarted
   * agent gets in at once: the old stream ended with its process, or falls silent.
   */
  #takePlace(hello: Hello): void {
    const present = this.#sessions.get(hello.host);
    if (present === undefined) return;
    if (present.runId !== hello.agentRunId && present.isAlive) {
      throw new RedroverError(
        'already-exists',
        `another agent that is connected now is called ${hello.host}; ` +
          'give this one a --host name of its own, or stop the other one',
        { context: { host: hello.host } },
      );
    }
    present.close('the agent has opened a new session');
    this.#sessions.delete(hello.host);
  }

  async #refusalOf(hello: Hello): Promise<string> {
    const { identity, meta, log } = this.#options;
    if (hello.incarnation <= BigInt(identity.incarnation)) return '';
    await meta.noteSeenIncarnation(Number(hello.incarnation));
    const refusal =
      `the agent of ${hello.host} follows incarnation ${hello.incarnation}, and this controller ` +
      `is ${identity.incarnation}: its data directory is an older copy. If it is to take over, ` +
      'stop it, run `redrover-controller takeover --data DIR`, and start it again';
    log.warn({ host: hello.host }, refusal);
    return refusal;
  }

  #receiveHeartbeat(session: AgentSession, heartbeat: Heartbeat): void {
    const { hosts, observations } = this.#options;
    hosts.noteBeat(session.host, {
      builds: heartbeat.builds.map((build) => installedBuildFromProto(build)),
      diskFreeBytes: numberFromProto(heartbeat.diskFreeBytes, 'heartbeat.diskFreeBytes'),
      loadAverage: heartbeat.loadAverage,
      agentRssBytes: numberFromProto(heartbeat.agentRssBytes, 'heartbeat.agentRssBytes'),
      usedPorts: heartbeat.usedPorts,
      movers: heartbeat.movers.map((mover) => moverFromProto(mover)),
    });
    const reports = readNodeReports(session.host, heartbeat.nodes);
    const sentAtMs = timestampFromProto(heartbeat.sentAt, 'heartbeat.sentAt');
    const wanted = observations.mergeList(session.host, reports, sentAtMs);
    this.#askForViews(session, wanted);
  }

  /** A result that nobody waits for any more still tells what the nodes do now. */
  #receiveResult(session: AgentSession, message: CommandResult): void {
    const { hosts, observations } = this.#options;
    const { result } = message;
    // Before the nodes: whoever plans on their news must know who is at work on them.
    if (result.case === 'step' && result.value.hasMovers) {
      const movers = result.value.movers.map((mover) => moverFromProto(mover));
      hosts.noteMovers(session.host, movers);
    }
    if (result.case === 'step' || result.case === 'observation') {
      const reports = readNodeReports(session.host, result.value.nodes);
      this.#askForViews(session, observations.merge(session.host, reports));
    }
    if (result.case === 'step' && result.value.builds.length > 0) {
      const builds = result.value.builds.map((build) => installedBuildFromProto(build));
      hosts.noteBuilds(session.host, builds);
    }
    session.pending.settle(message);
  }

  #askForViews(session: AgentSession, hashes: readonly string[]): void {
    if (hashes.length === 0) return;
    session.send({ case: 'viewsWanted', value: { hashes: [...hashes] } });
  }

  /** What is not saved is said again at the next hello; a full disk must not shut hosts out. */
  async #saveHost(name: string): Promise<void> {
    const { hosts, hostRecords, log } = this.#options;
    const host = hosts.find(name);
    if (host === undefined) return;
    await hostRecords.save(host).catch((error: unknown) => {
      log.error({ err: error, host: name }, 'cannot save the host');
    });
  }
}

function unknownHost(name: string): RedroverError {
  return new RedroverError(
    'not-found',
    `no host is called ${name}; \`redrover host ls\` lists those that are known`,
  );
}

function checkHello(hello: Hello): void {
  if (!HOST_NAME.test(hello.host)) {
    throw new RedroverError(
      'invalid-argument',
      `"${hello.host}" is not a host name: expected 1 to 63 of a-z 0-9 - .; start the agent with ` +
        'another --host',
    );
  }
  if (isIP(hello.address) === 0) {
    throw new RedroverError(
      'invalid-argument',
      `"${hello.address}" is not an IP address; start the agent with another --address`,
    );
  }
  if (hello.incarnation > MAX_INCARNATION) {
    throw new RedroverError(
      'invalid-argument',
      `the agent says that it follows incarnation ${hello.incarnation}, which no controller has ` +
        'ever had; look at fence.json in the state directory of the agent',
    );
  }
  if (hello.agentRunId === '') {
    throw new RedroverError('invalid-argument', 'a hello needs the agent_run_id');
  }
}
