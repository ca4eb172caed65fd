/**
 * Clients of the model: they write, read, delete and expire keys of the moved slot while it moves, follow ASK and MOVED,
 * try again on TRYAGAIN, and remember what was acknowledged.
 */
import type { Cluster } from './cluster.ts';
import type { Change, RedisNode } from './redis-node.ts';

export const KEYS = ['a', 'b', 'c'] as const;

/** A redirected client is there within this, or it starts anew. */
const ASK_TICKS = 4;

interface Request {
  readonly kind: 'set' | 'setTwo' | 'delete' | 'get';
  readonly keys: readonly string[];
  at: string;
  asking: boolean;
  redirectedAt: number;
}

interface Unacknowledged {
  readonly node: RedisNode;
  readonly log: readonly Change[];
  readonly index: number;
  readonly key: string;
  readonly version: number;
  readonly deleted: boolean;
}

export interface Acknowledged {
  readonly version: number;
  readonly deleted: boolean;
  /** Node id. */
  readonly by: string;
}

export class Clients {
  /** The newest acknowledged write of each key. */
  readonly acknowledged = new Map<string, Acknowledged>();
  /** The newest deletion of each key, acknowledged or not: it may have happened. */
  readonly deletions = new Map<string, number>();
  /** Reads that did not show the newest acknowledged write. */
  readonly staleReads: {
    readonly key: string;
    readonly hasReappeared: boolean;
    readonly text: string;
  }[] = [];
  /** Every client is at one place in one request. */
  readonly #requests: Request[] = [];
  readonly #cluster: Cluster;
  /** Whether a write counts once a replica has it (WAIT 1), or at once. */
  readonly #waitsForReplica: boolean;
  #unacknowledged: Unacknowledged[] = [];
  #versions = 0;

  constructor(cluster: Cluster, waitsForReplica: boolean) {
    this.#cluster = cluster;
    this.#waitsForReplica = waitsForReplica;
  }

  /** How many of the newest acknowledged writes were taken by that node. */
  acknowledgedBy(node: string): number {
    return [...this.acknowledged.values()].filter((write) => write.by === node && !write.deleted)
      .length;
  }

  /** Begins a request, or takes the next hop of one that is under way. */
  step(choice: number): void {
    const underWay = this.#requests.length;
    if (underWay < 2 && choice % 3 === 0) {
      this.#begin(choice);
      return;
    }
    const request = this.#requests[choice % Math.max(1, underWay)];
    if (request === undefined) return;
    if (this.#hop(request, choice)) this.#requests.splice(this.#requests.indexOf(request), 1);
  }

  /** A key's time is over, on all nodes alike: its TTL went with it. */
  expire(choice: number): void {
    const key = KEYS[choice % KEYS.length] ?? 'a';
    const version = this.acknowledged.get(key)?.version;
    this.acknowledged.delete(key);
    this.#versions += 1;
    this.deletions.set(key, this.#versions);
    for (const node of this.#cluster.nodes.values()) {
      const isOwn = node.role === 'master' && node.up && node.keys.get(key) === version;
      if (isOwn && version !== undefined) node.apply({ key, version: undefined, by: 'client' });
    }
  }

  /** What replicas have by now is acknowledged. */
  collect(): void {
    const open: Unacknowledged[] = [];
    for (const write of this.#unacknowledged) {
      // Its node was promoted away: the client never hears of it.
      if (write.node.log !== write.log || write.node.role !== 'master') continue;
      const isSafe = this.#cluster
        .replicasOf(write.node)
        .some(({ position, needsSync }) => !needsSync && position > write.index);
      if (isSafe) this.#acknowledge(write);
      else open.push(write);
    }
    this.#unacknowledged = open;
  }

  #begin(choice: number): void {
    const kinds = ['set', 'get', 'delete', 'setTwo', 'set', 'get'] as const;
    const kind = kinds[Math.floor(choice / 3) % kinds.length] ?? 'get';
    const first = KEYS[Math.floor(choice / 7) % KEYS.length] ?? 'a';
    const second = KEYS[(Math.floor(choice / 7) + 1) % KEYS.length] ?? 'b';
    const keys = kind === 'setTwo' ? [first, second] : [first];
    this.#requests.push({ kind, keys, at: this.#anyone(choice), asking: false, redirectedAt: 0 });
  }

  /** True when the request has ended. */
  #hop(request: Request, choice: number): boolean {
    const node = this.#cluster.node(request.at);
    const isLate = request.asking && this.#cluster.now - request.redirectedAt > ASK_TICKS;
    if (isLate || !this.#cluster.serves(node)) {
      // As after a timeout: with a fresh idea of the cluster, without ASKING.
      Object.assign(request, { at: this.#anyone(choice), asking: false });
      return false;
    }
    const missing = request.keys.filter((key) => !node.keys.has(key)).length;
    if (node.owns()) {
      if (node.migratingTo === undefined || missing === 0) return this.#execute(request, node);
      // TRYAGAIN: some keys are here, some have gone.
      if (missing < request.keys.length) return false;
      return this.#redirect(request, node.migratingTo, true);
    }
    if (request.asking && node.role === 'master' && node.importingFrom !== undefined) {
      const isSplit = request.keys.length > 1 && missing > 0;
      if (!isSplit) return this.#execute(request, node);
      Object.assign(request, { at: this.#anyone(choice), asking: false });
      return false;
    }
    return this.#redirect(request, node.table.get('x') ?? this.#anyone(choice), false);
  }

  #redirect(request: Request, to: string, asking: boolean): false {
    Object.assign(request, { at: to, asking, redirectedAt: this.#cluster.now });
    return false;
  }

  #execute({ kind, keys }: Request, node: RedisNode): true {
    for (const key of keys) {
      if (kind === 'get') this.#check(key, node);
      else this.#write(key, node, kind === 'delete');
    }
    return true;
  }

  #write(key: string, node: RedisNode, deleted: boolean): void {
    this.#versions += 1;
    const version = this.#versions;
    const index = node.log.length;
    if (deleted) this.deletions.set(key, version);
    node.apply({ key, version: deleted ? undefined : version, by: 'client' });
    const write = { node, log: node.log, index, key, version, deleted };
    if (this.#waitsForReplica) this.#unacknowledged.push(write);
    else this.#acknowledge(write);
  }

  #acknowledge({ key, version, deleted, node }: Unacknowledged): void {
    const newest = this.acknowledged.get(key)?.version ?? 0;
    if (version > newest) this.acknowledged.set(key, { version, deleted, by: node.id });
  }

  #check(key: string, node: RedisNode): void {
    const expected = this.acknowledged.get(key);
    if (expected === undefined) return;
    const seen = node.keys.get(key);
    const isStale = expected.deleted
      ? seen !== undefined && seen < expected.version
      : seen === undefined || seen < expected.version;
    if (isStale) {
      const text = `${key} read on ${node.id}: ${seen}, expected ${expected.version}`;
      this.staleReads.push({ key, hasReappeared: expected.deleted, text });
    }
  }

  #anyone(choice: number): string {
    const masters = [...this.#cluster.nodes.values()].filter(({ role }) => role === 'master');
    return masters[choice % masters.length]?.id ?? 's1';
  }
}
