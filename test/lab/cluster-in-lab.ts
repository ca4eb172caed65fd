/**
 * A cluster on the hosts of a lab, as Redrover describes it and as redis-cli sees it: what the
 * destructive tests ask and wait for. Breaking things is the lab's part.
 */
import { stripVTControlCharacters } from 'node:util';
import type { Finding } from '@redrover/core';

import { until } from '../support/until.ts';
import type { CommandResult } from './command.ts';
import type { Lab } from './lab.ts';
import { LiveClient } from './live-client.ts';
import type { LiveClientOptions } from './live-client.ts';
import { findLabRelease } from './release.ts';

/** What tests read of `redrover cluster nodes -o json`. */
export interface NodeView {
  /** Redis node id; empty until the node has answered once. */
  readonly id: string;
  readonly key: string;
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly role: 'master' | 'replica';
  readonly preferredRole: 'master' | 'replica';
  readonly shard: string;
  readonly slots: readonly string[];
  readonly state: string;
  readonly reason: string;
  readonly pid: number | null;
  readonly restarts: number;
  readonly masterLinkUp: boolean | null;
}

export interface CheckView {
  readonly ok: boolean;
  readonly findings: readonly Finding[];
}

export interface OperationView {
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  readonly message: string;
  readonly automatic: boolean;
  readonly attempts: readonly {
    readonly stepKey: string;
    readonly outcome: string;
    readonly message: string;
    readonly errorCode: string | null;
  }[];
  readonly waits: readonly { readonly subject: string; readonly reason: string }[];
}

/** Where a node is; a `NodeView` is one, too. */
export interface NodeAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * Of each live client, two for each of three shards. A promotion may cost each lane the one write
 * that was on its way to the replica.
 */
export const LANES = 6;

export class ClusterInLab {
  readonly lab: Lab;
  readonly name: string;
  readonly password: string;
  readonly #clients: LiveClient[] = [];

  private constructor(lab: Lab, name: string, password: string) {
    this.lab = lab;
    this.name = name;
    this.password = password;
  }

  /** Applies a spec of 3 + 3 nodes, changed as wanted; resolves when the cluster is made. */
  static async create(lab: Lab, fields: Readonly<Record<string, unknown>> & { name: string }) {
    const spec = await lab.writeSpec(fields);
    const applied = await lab.redrover(['cluster', 'apply', '-f', spec, '--yes']);
    if (applied.exitCode !== 0) throw new Error(`applying failed: ${applied.stderr}`);
    const { password } = await lab.credentials(fields.name);
    return new ClusterInLab(lab, fields.name, password);
  }

  /** Starts a gentle live client; whatever the test does with it, `endClients` ends it. */
  async client(prefix: string, options: LiveClientOptions = {}): Promise<LiveClient> {
    const settings = { lanes: LANES, ratePerSecond: 60, prefix, ...options };
    const client = await LiveClient.start(this.lab, this.name, settings);
    this.#clients.push(client);
    return client;
  }

  /** A client for whose writes only counts what a replica has confirmed: none may ever be lost. */
  async carefulClient(prefix: string): Promise<LiveClient> {
    return this.client(prefix, { waitReplicas: 1 });
  }

  endClients(): void {
    for (const client of this.#clients.splice(0)) client.kill();
  }

  // --- what Redrover says

  async nodes(): Promise<NodeView[]> {
    return this.lab.redroverJson<NodeView[]>(['cluster', 'nodes', this.name]);
  }

  /** Errors: the layout has no such node. */
  async node({ host, port }: NodeAddress): Promise<NodeView> {
    const node = (await this.nodes()).find((each) => each.host === host && each.port === port);
    if (node === undefined) throw new Error(`${this.name} has no node ${host}:${port}`);
    return node;
  }

  /** The first node on a host with a role, as it is now. Errors: there is none. */
  async nodeOn(host: string, role: NodeView['role']): Promise<NodeView> {
    const node = (await this.nodes()).find((each) => each.host === host && each.role === role);
    if (node === undefined) throw new Error(`${host} has no ${role} of ${this.name}`);
    return node;
  }

  /** Resolves when every replica has its link to its master. */
  async linked(): Promise<void> {
    await until('replicas have their links', async () => {
      const replicas = (await this.nodes()).filter(({ role }) => role === 'replica');
      return replicas.every(({ masterLinkUp }) => masterLinkUp === true);
    });
  }

  async check(): Promise<CheckView> {
    return this.lab.redroverJson<CheckView>(['cluster', 'check', this.name]);
  }

  /** The findings that a check would fail for, save what the machine under the lab is to blame for. */
  async troubles(): Promise<readonly Finding[]> {
    const { findings } = await this.check();
    return findings.filter(({ rule, severity }) => severity !== 'info' && rule !== OF_MACHINE);
  }

  /** Resolves with the finding of a rule once there is one, about the subject if that is given. */
  async finding(rule: string, subject?: string, timeoutMs = 30_000): Promise<Finding> {
    let found: readonly Finding[] = [];
    try {
      return await until(
        `a finding ${rule}`,
        async () => {
          found = (await this.check()).findings;
          return found.find(
            (each) => each.rule === rule && (subject === undefined || each.subject === subject),
          );
        },
        timeoutMs,
      );
    } catch (error) {
      throw new Error(`found only ${JSON.stringify(found)}`, { cause: error });
    }
  }

  async operations(): Promise<Omit<OperationView, 'attempts' | 'waits'>[]> {
    return this.lab.redroverJson(['op', 'ls', '--cluster', this.name]);
  }

  async operation(id: string): Promise<OperationView> {
    return this.lab.redroverJson<OperationView>(['op', 'show', id]);
  }

  /**
   * Every handoff of every operation that failed once it had begun, which holds clients for seconds;
   * one that its agent refused holds nobody.
   */
  async failedHandoffs(): Promise<OperationView['attempts']> {
    const operations = await this.operations();
    const all = await Promise.all(operations.map(async ({ id }) => this.operation(id)));
    const attempts = all.flatMap((operation) => operation.attempts);
    return attempts.filter(
      ({ stepKey, outcome, errorCode }) =>
        stepKey.startsWith('handoffMaster ') && outcome === 'failed' && errorCode !== 'fenced',
    );
  }

  /** The id of the one that is running. Errors: none is. */
  async operationUnderWay(): Promise<string> {
    const operation = (await this.operations()).find(({ state }) => state === 'running');
    if (operation === undefined) throw new Error(`no operation on ${this.name} is under way`);
    return operation.id;
  }

  /** `redrover cluster repair --yes`, to its end. */
  async repair(): Promise<CommandResult> {
    return this.#apply(['cluster', 'repair', this.name]);
  }

  async drain(host: string, ...args: string[]): Promise<void> {
    await this.#apply(['host', 'drain', host, ...args]);
  }

  async undrain(host: string, ...args: string[]): Promise<void> {
    await this.#apply(['host', 'undrain', host, ...args]);
  }

  /** Once more where the plan was overtaken, as it happens while hosts and nodes come and go. */
  async #apply(command: readonly string[]): Promise<CommandResult> {
    const name = command.join(' ');
    const result = await until(`a plan to ${name} is accepted`, async () => {
      const answer = await this.lab.redrover([...command, '--yes']);
      return answer.stderr.includes('run the same command again') ? false : answer;
    });
    if (result.exitCode === 0) return result;
    throw new Error(`${name} failed: ${result.stdout}\n${result.stderr}`);
  }

  // --- what Redis says

  /** Asks a node by redis-cli from the client's host: its words, errors included. */
  async ask({ host, port }: NodeAddress, ...args: string[]): Promise<string> {
    const { stdout, stderr } = await this.lab.redisCli(host, port, args, this.password);
    return `${stdout}\n${stderr}`.trim();
  }

  /** The same from the node's own host, which a partition does not hinder. */
  async askInside({ host, port }: NodeAddress, ...args: string[]): Promise<string> {
    const { redisCli } = findLabRelease();
    const target = ['-h', this.lab.addressOf(host), '-p', `${port}`];
    const env = { REDISCLI_AUTH: this.password };
    const argv = ['timeout', '5', redisCli.host, ...target, ...args];
    const { stdout, stderr } = await this.lab.exec(host, argv, { reject: false, env });
    return `${stdout}\n${stderr}`.trim();
  }

  /** `redis-cli --cluster check`: whether every line of it is fine, and all of its words. */
  async witness(node: NodeAddress): Promise<{ ok: boolean; text: string }> {
    const target = `${this.lab.addressOf(node.host)}:${node.port}`;
    const text = stripVTControlCharacters(await this.ask(node, '--cluster', 'check', target));
    const ok =
      text.includes('[OK] All nodes agree about slots configuration.') &&
      text.includes('[OK] All 16384 slots covered.') &&
      !/\[ERR\]|\[WARNING\]/.test(text);
    return { ok, text };
  }

  /**
   * Resolves when all that is left of a failure is that masters are not where they are preferred:
   * Redrover says no more than that, and redis-cli has no complaints.
   */
  async healed(timeoutMs = 60_000): Promise<void> {
    await this.#without((rule) => rule.endsWith('-loss-loses-quorum'), timeoutMs);
  }

  /** The same, with every master where the layout wants it. */
  async whole(timeoutMs = 60_000): Promise<void> {
    await this.#without(() => false, timeoutMs);
    const drifted = (await this.nodes()).filter((node) => node.role !== node.preferredRole);
    if (drifted.length > 0) throw new Error(`roles have drifted: ${JSON.stringify(drifted)}`);
  }

  async #without(isAllowed: (rule: string) => boolean, timeoutMs: number): Promise<void> {
    let said = '';
    try {
      await until(
        `${this.name} is well`,
        async () => {
          const left = (await this.troubles()).filter(({ rule }) => !isAllowed(rule));
          said = JSON.stringify(left, undefined, 2);
          if (left.length > 0) return false;
          const { ok, text } = await this.witness((await this.nodes())[0] ?? NOWHERE);
          said = text;
          return ok;
        },
        timeoutMs,
      );
    } catch (error) {
      throw new Error(`${this.name} is not well: ${said}`, { cause: error });
    }
  }

  /** The pid on its host of every node's process, by node key; a defect if one port has two. */
  async processes(): Promise<Readonly<Record<string, number>>> {
    const found: Record<string, number> = {};
    for (const host of this.lab.hostNames.filter((each) => this.lab.isUp(each))) {
      const { stdout } = await this.lab.exec(host, ['sh', '-c', LIST_SERVERS]);
      for (const line of stdout.split('\n').filter(Boolean)) {
        const [, pid, port] = /^(\d+) .*redis-server \S+:(\d+)/.exec(line) ?? [];
        const key = `${host}:${port}`;
        if (key in found) throw new Error(`two processes for ${key}: ${stdout}`);
        found[key] = Number(pid);
      }
    }
    return found;
  }
}

// By the kernel's own list: whatever runs there, whoever has started it.
const LIST_SERVERS = `for p in /proc/[0-9]*; do
  title=$(tr '\\0' ' ' < $p/cmdline 2>/dev/null) || continue
  case $title in *redis-server\\ *:*) echo "\${p#/proc/} $title";; esac
done`;

// Nobody in a container may raise the limit that it was started with.
const OF_MACHINE = 'nofile-low';

const NOWHERE: NodeAddress = { host: '', port: 0 };
