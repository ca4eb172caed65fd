/**
 * A cluster of servers that nobody supervises, for scenes that a mover meets on real servers: they are held up,
 * killed, deprived of power and promoted at the very moment that a scene needs. Replicas stand for no election by
 * themselves: a promotion is part of the scene.
 */
import { DEFAULT_MOVE_OPTIONS, type MoveEnd, type MoveSlotsStep } from '@redrover/core';
import { execa } from 'execa';
import { Redis } from 'ioredis';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';

import type { BuiltRelease } from '../built-release.ts';
import { createScratchDirectory, type Scratch } from '../scratch.ts';
import { until } from '../until.ts';

export interface BareClusterOptions<Name extends string> {
  readonly release: BuiltRelease;
  /** They share the slots in this order. */
  readonly masters: readonly Name[];
  /** The master of each. */
  readonly replicas?: Readonly<Partial<Record<Name, Name>>>;
  /** Keeps what was synced of nodes.conf, for `powerCut`. Needs a C compiler. */
  readonly notesSyncs?: boolean;
}

interface BareNode {
  readonly name: string;
  readonly port: number;
  readonly directory: string;
  readonly client: Redis;
  child: ChildProcess | undefined;
  id: string;
}

export const NODE_TIMEOUT_MS = 5_000;
export const PASSWORD = 'secret';
const SLOTS = 16_384;
const FIRST_PORT = 7001;

export class BareCluster<Name extends string> {
  readonly address = `127.${randomInt(64, 255)}.${randomInt(0, 256)}.${randomInt(1, 255)}`;
  readonly #options: BareClusterOptions<Name>;
  readonly #scratch: Scratch;
  readonly #nodes: ReadonlyMap<Name, BareNode>;

  private constructor(options: BareClusterOptions<Name>, scratch: Scratch) {
    this.#options = options;
    this.#scratch = scratch;
    const replicas = Object.keys(options.replicas ?? {}) as Name[];
    const nodes = [...options.masters, ...replicas].map((name, index) => {
      const port = FIRST_PORT + index;
      const directory = join(scratch.path, name);
      const target = { host: this.address, port, password: PASSWORD, lazyConnect: true };
      const client = new Redis({ ...target, retryStrategy: () => 50, maxRetriesPerRequest: 0 });
      // It reaches whoever sent a command.
      client.on('error', () => {});
      return [name, { name, port, directory, client, child: undefined, id: '' }] as const;
    });
    this.#nodes = new Map<Name, BareNode>(nodes);
  }

  static async start<Name extends string>(
    options: BareClusterOptions<Name>,
  ): Promise<BareCluster<Name>> {
    const cluster = new BareCluster(options, await createScratchDirectory('bare'));
    try {
      if (options.notesSyncs === true) await compilePreload(cluster.#preload);
      await cluster.#create();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    for (const node of this.#nodes.values()) {
      node.client.disconnect();
      await end(node);
    }
    await this.#scratch.remove();
  }

  get names(): readonly Name[] {
    return [...this.#nodes.keys()];
  }

  id(name: Name): string {
    return this.#node(name).id;
  }

  /** Binary-safe enough for what scenes ask. */
  async call(name: Name, ...command: [string, ...(string | number)[]]): Promise<unknown> {
    return this.#node(name).client.call(...command);
  }

  /** As a client does that was sent with ASK. */
  async asking(name: Name, ...command: [string, ...string[]]): Promise<unknown> {
    const replies = await this.#node(name)
      .client.pipeline([['asking'], command])
      .exec();
    const [error, value] = replies?.at(-1) ?? [];
    if (error) throw error;
    return value;
  }

  async set(name: Name, slot: number, ...how: readonly string[]): Promise<void> {
    await this.call(name, 'CLUSTER', 'SETSLOT', slot, ...how);
  }

  count(name: Name, slot: number): Promise<number> {
    return this.call(name, 'CLUSTER', 'COUNTKEYSINSLOT', slot).then(Number);
  }

  /** The name of the slot's owner in the node's view; undefined: nobody, or nobody that is known. */
  async ownerSeenBy(name: Name, slot: number): Promise<Name | undefined> {
    const text = String(await this.call(name, 'CLUSTER', 'NODES'));
    const line = text.split('\n').find((each) =>
      each
        .split(' ')
        .slice(8)
        .some((range) => {
          if (range.startsWith('[')) return false;
          const [start = 0, last = start] = range.split('-').map(Number);
          return start <= slot && slot <= last;
        }),
    );
    return this.names.find((each) => line?.startsWith(this.id(each)));
  }

  async untilSeen(slot: number, owner: Name, by: readonly Name[] = this.names): Promise<void> {
    await until(`${by.join(', ')} to see ${owner} as owner of ${slot}`, async () => {
      const seen = await Promise.all(by.map((name) => this.ownerSeenBy(name, slot)));
      return seen.every((each) => each === owner);
    });
  }

  /** Whatever the name's server does with it: SIGSTOP, SIGCONT. */
  signal(name: Name, signal: NodeJS.Signals): void {
    if (this.#node(name).child?.kill(signal) !== true) throw new Error(`${name} is not running`);
  }

  /** Ports of the clients of that name, on their side. */
  async portsOf(name: Name, client: string): Promise<readonly number[]> {
    const lines = String(await this.call(name, 'CLIENT', 'LIST')).split('\n');
    return lines
      .filter((line) => line.includes(` name=${client} `))
      .map((line) => Number(/ addr=\S+:(\d+) /.exec(line)?.[1]));
  }

  /** Until a server that is held up has something in its socket, from one of these ports, that it has not read. */
  async queued(name: Name, ports: readonly number[]): Promise<void> {
    const here = `:${hexOfPort(this.#node(name).port)}`;
    await until(`a command that waits for ${name}`, async () => {
      const text = await readFile('/proc/net/tcp', 'utf8');
      const sockets = text.split('\n').map((line) => line.trim().split(/ +/));
      return sockets.some(
        ([, local, remote, , queues]) =>
          local?.endsWith(here) === true &&
          ports.some((port) => remote?.endsWith(`:${hexOfPort(port)}`)) &&
          queues?.endsWith(':00000000') === false,
      );
    });
  }

  async kill(name: Name): Promise<void> {
    await end(this.#node(name));
  }

  /** Keeps its files, but for what was not synced of nodes.conf. The AOF is whole. */
  async powerCut(name: Name): Promise<void> {
    const { directory } = this.#node(name);
    await this.kill(name);
    await cp(join(directory, 'nodes.conf.synced'), join(directory, 'nodes.conf'));
  }

  /** With its AOF as it is now: what a later `restoreAof` puts back. */
  async keepAof(name: Name): Promise<void> {
    const { directory, client } = this.#node(name);
    // What was written while the file is synced waits in memory (redis aof.c, flushAppendOnlyFile).
    await until('the AOF to be written', async () =>
      (await client.info('persistence')).includes('aof_buffer_length:0'),
    );
    await cp(join(directory, 'appendonlydir'), join(directory, 'aof.kept'), { recursive: true });
  }

  /** As after a power cut that took the end of it. */
  async restoreAof(name: Name): Promise<void> {
    const { directory } = this.#node(name);
    await rm(join(directory, 'appendonlydir'), { recursive: true });
    await cp(join(directory, 'aof.kept'), join(directory, 'appendonlydir'), { recursive: true });
  }

  async start(name: Name): Promise<void> {
    const node = this.#node(name);
    const { release, notesSyncs } = this.#options;
    const preload = notesSyncs === true ? { LD_PRELOAD: this.#preload } : {};
    node.child = spawn(release.server, [join(node.directory, 'redis.conf')], {
      stdio: 'ignore',
      env: { ...process.env, ...preload },
    });
    await until(`${name} to answer`, async () => (await node.client.ping()) === 'PONG');
    await until(`${name} to have loaded`, async () =>
      (await node.client.info('persistence')).includes('loading:0'),
    );
  }

  /** Nothing but what the operator's own hands would do: a promotion without anybody's vote. */
  async promote(name: Name): Promise<void> {
    await this.call(name, 'CLUSTER', 'FAILOVER', 'TAKEOVER');
    await until(`${name} to be a master`, async () =>
      (await this.#node(name).client.info('replication')).includes('role:master'),
    );
  }

  /** From one master to another, as the masters and replicas are at the start. */
  step(source: Name, target: Name, slot: number): MoveSlotsStep {
    const replicas = (master: Name) =>
      this.names.filter((name) => this.#options.replicas?.[name] === master);
    const others = this.names.filter(
      (name) => name !== source && name !== target && !this.#isReplica(name),
    );
    return {
      kind: 'moveSlots',
      host: 'h1',
      node: source,
      engine: 'migrate',
      source: this.#end(source),
      target: this.#end(target),
      slots: [{ start: slot, end: slot }],
      sourceReplicas: replicas(source).map((name) => this.#end(name)),
      targetReplicas: replicas(target).map((name) => this.#end(name)),
      otherMasters: others.map((name) => this.#end(name)),
      nodeTimeoutMs: NODE_TIMEOUT_MS,
      options: { ...DEFAULT_MOVE_OPTIONS, engine: 'migrate', pace: 'fast' },
    };
  }

  #isReplica(name: Name): boolean {
    return this.#options.replicas?.[name] !== undefined;
  }

  #end(name: Name): MoveEnd {
    const { id, port } = this.#node(name);
    return { node: name, nodeId: id, address: this.address, port };
  }

  #node(name: Name): BareNode {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new Error(`no node ${name}`);
    return node;
  }

  get #preload(): string {
    return join(this.#scratch.path, 'synced-copy.so');
  }

  async #create(): Promise<void> {
    const { masters, replicas = {} } = this.#options;
    await Promise.all(
      this.names.map(async (name) => {
        const { directory, port } = this.#node(name);
        await mkdir(directory);
        await writeFile(join(directory, 'redis.conf'), configOf(this.address, port, directory));
        await this.start(name);
        this.#node(name).id = String(await this.call(name, 'CLUSTER', 'MYID'));
      }),
    );
    for (const [index, name] of masters.entries()) {
      const [start, next] = [index, index + 1].map((at) =>
        Math.floor((at * SLOTS) / masters.length),
      );
      await this.call(name, 'CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
      await this.call(name, 'CLUSTER', 'ADDSLOTSRANGE', start ?? 0, (next ?? 0) - 1);
    }
    await this.introduce(...this.names);
    await this.#untilAll('to know each other', (text) => {
      const lines = text.trim().split('\n');
      return lines.length === this.names.length && !text.includes('handshake');
    });
    for (const [replica, master] of Object.entries(replicas) as [Name, Name][]) {
      await this.call(replica, 'CLUSTER', 'REPLICATE', this.id(master));
      await until(`${replica} to be in sync`, async () =>
        (await this.#node(replica).client.info('replication')).includes('master_link_status:up'),
      );
    }
    await until('a cluster that is ok', async () => {
      const texts = await Promise.all(this.names.map((name) => this.call(name, 'CLUSTER', 'INFO')));
      return texts.every((text) => String(text).includes('cluster_state:ok'));
    });
    const { length: count } = Object.keys(replicas);
    await this.#untilAll(
      'to see the replicas',
      (text) => text.split(/[ ,]slave[ ,]/).length > count,
    );
  }

  /** Every pair of them, by MEET. */
  async introduce(...names: readonly Name[]): Promise<void> {
    for (const [index, name] of names.entries()) {
      for (const other of names.slice(index + 1)) {
        await this.call(name, 'CLUSTER', 'MEET', this.address, this.#node(other).port);
      }
    }
  }

  async #untilAll(what: string, holds: (nodes: string) => boolean): Promise<void> {
    await until(`all nodes ${what}`, async () => {
      const texts = await Promise.all(
        this.names.map((name) => this.call(name, 'CLUSTER', 'NODES')),
      );
      return texts.every((text) => holds(String(text)));
    });
  }
}

function hexOfPort(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0');
}

function configOf(address: string, port: number, directory: string): string {
  return [
    `bind ${address}`,
    `port ${port}`,
    `dir ${directory}`,
    'cluster-enabled yes',
    `cluster-announce-ip ${address}`,
    'cluster-config-file nodes.conf',
    `cluster-node-timeout ${NODE_TIMEOUT_MS}`,
    'cluster-replica-no-failover yes',
    'cluster-allow-replica-migration no',
    'cluster-require-full-coverage no',
    'appendonly yes',
    'save ""',
    'repl-diskless-sync-delay 0',
    `requirepass ${PASSWORD}`,
    `masterauth ${PASSWORD}`,
    '',
  ].join('\n');
}

async function compilePreload(path: string): Promise<void> {
  const source = join(import.meta.dirname, 'synced-copy.c');
  await execa('cc', ['-shared', '-fPIC', '-O1', '-o', path, source, '-ldl']);
}

async function end(node: BareNode): Promise<void> {
  const { child } = node;
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  await closed;
  node.child = undefined;
}
