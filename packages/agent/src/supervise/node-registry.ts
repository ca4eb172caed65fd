/** All nodes of this host: found again after a start of the agent, kept alive, observed together. */
import { RedroverError, type NodeKey, type NodeObservation } from '@redrover/core';
import { readdir } from 'node:fs/promises';
import type { NodeRecord } from '../nodes/node-record.ts';
import { nodePaths, type AgentPaths } from '../nodes/paths.ts';
import { AgentNode } from './agent-node.ts';
import type { SupervisorOptions } from './node-supervisor.ts';
import { observeUnknown } from './observe-process.ts';

/** A crash is seen this late at most; looking costs one small read of /proc a node. */
const TICK_MS = 250;

/** Directories of others appear when somebody makes them by hand: no need to look each second. */
const STRAYS_READ_MS = 10_000;

export class NodeRegistry {
  readonly #host: string;
  readonly #paths: AgentPaths;
  readonly #options: SupervisorOptions;
  readonly #nodes = new Map<NodeKey, AgentNode>();
  #timer: NodeJS.Timeout | undefined;
  #strays: { readonly nodes: readonly NodeObservation[]; readonly readAtMs: number } = {
    nodes: [],
    readAtMs: -Infinity,
  };

  constructor(host: string, paths: AgentPaths, options: SupervisorOptions) {
    this.#host = host;
    this.#paths = paths;
    this.#options = options;
  }

  /** Reads the records, then adopts what runs and starts what should run, each node by itself. */
  async resume(): Promise<void> {
    await this.#load();
    await this.#forEach((node) => node.supervisor.resume());
  }

  /** Like `resume`, but starts nothing. */
  async adopt(): Promise<void> {
    await this.#load();
    await this.#forEach((node) => node.supervisor.adopt());
  }

  /** Begins to watch the processes. */
  watch(): void {
    this.#timer ??= setInterval(() => {
      for (const { supervisor, timing } of this.#nodes.values()) {
        supervisor.tick();
        timing.tick();
      }
    }, TICK_MS);
  }

  /** Ends watching and closes the connections; the nodes run on. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const node of this.#nodes.values()) node.connection.close();
  }

  list(): readonly AgentNode[] {
    return [...this.#nodes.values()];
  }

  find(key: NodeKey): AgentNode | undefined {
    return this.#nodes.get(key);
  }

  /** @throws RedroverError `not-found` that says what this host has. */
  get(key: NodeKey): AgentNode {
    const node = this.#nodes.get(key);
    if (node !== undefined) return node;
    const known = [...this.#nodes.keys()].join(', ') || 'none';
    throw new RedroverError(
      'not-found',
      `host ${this.#host} has no node ${key} (it has: ${known})`,
    );
  }

  /** Takes a prepared node in, or its new record; `isAnew`: of a new node in an old one's place. */
  async put(record: NodeRecord, { isAnew }: { readonly isAnew: boolean }): Promise<AgentNode> {
    const known = this.#nodes.get(record.key);
    if (known === undefined) {
      await this.#options.records.save(record);
      return this.#create(record);
    }
    if (isAnew) await known.supervisor.beginAnew(record);
    else await known.supervisor.replaceRecord(record);
    return known;
  }

  async forget(key: NodeKey): Promise<void> {
    const node = this.#nodes.get(key);
    if (node === undefined) return;
    node.connection.close();
    await this.#options.records.remove(node.record.port);
    this.#nodes.delete(key);
  }

  /** The named nodes, those that this host does not have as `absent`; without names all it has. */
  async observe(keys: readonly NodeKey[], fresh: boolean): Promise<NodeObservation[]> {
    if (keys.length > 0) return Promise.all(keys.map((key) => this.#observeOne(key, fresh)));
    const own = this.list().map((node) => node.observe({ fresh }));
    return [...(await Promise.all(own)), ...(await this.#observeStrays(fresh))];
  }

  async #load(): Promise<void> {
    const { records, log } = this.#options;
    const { records: known, unreadable } = await records.load();
    for (const file of unreadable) {
      log.error({ file }, 'this record of a node cannot be read; its node is not supervised');
    }
    for (const record of known) this.#create(record);
  }

  /** One node that fails does not keep the others waiting. */
  async #forEach(task: (node: AgentNode) => Promise<unknown>): Promise<void> {
    const { log } = this.#options;
    await Promise.all(
      this.list().map((node) =>
        task(node).catch((error: unknown) => {
          log.error({ err: error, node: node.record.key }, 'a node could not be taken over');
        }),
      ),
    );
  }

  async #observeOne(key: NodeKey, fresh: boolean): Promise<NodeObservation> {
    const node = this.#nodes.get(key);
    return node === undefined ? this.#observeAbsent(key) : node.observe({ fresh });
  }

  /** A node without a record; its directory may still be somebody's. */
  async #observeAbsent(key: NodeKey): Promise<NodeObservation> {
    const port = Number(key.slice(key.lastIndexOf(':') + 1));
    return {
      key,
      host: this.#host,
      port,
      observedAtMs: this.#options.now(),
      process: await observeUnknown(nodePaths(this.#paths.root, port)),
      redis: undefined,
    };
  }

  async #observeStrays(fresh: boolean): Promise<readonly NodeObservation[]> {
    const now = performance.now();
    const known = this.#strays.nodes.filter(({ key }) => !this.#nodes.has(key));
    if (!fresh && now - this.#strays.readAtMs < STRAYS_READ_MS) return known;
    const keys = await this.#strayKeys();
    const nodes = await Promise.all(keys.map((key) => this.#observeAbsent(key)));
    this.#strays = { nodes, readAtMs: now };
    return nodes;
  }

  /** Directories that look like a node's and have no record: data that somebody else put there. */
  async #strayKeys(): Promise<NodeKey[]> {
    const names = await readdir(this.#paths.root).catch(() => []);
    return names
      .filter((name) => /^\d{1,5}$/.test(name))
      .map((name) => `${this.#host}:${name}`)
      .filter((key) => !this.#nodes.has(key));
  }

  #create(record: NodeRecord): AgentNode {
    const node = new AgentNode(record, nodePaths(this.#paths.root, record.port), this.#options);
    this.#nodes.set(record.key, node);
    return node;
  }
}
