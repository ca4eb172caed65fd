/**
 * One node of Redis Cluster as far as moving one slot goes: its slot table, epochs, open slots, keys of the slot and
 * replication. Follows cluster.c of 7.0; every method is one command, or one message that the node receives.
 *
 * Which messages are sent, and what dies when, is `cluster.ts`'s business.
 */
import type { NodeRole } from '../../model/spec.ts';

/** `x` is the slot that is moved; every shard has one more of its own, named like the shard, that stays. */
export type SlotName = string;
export const MOVED_SLOT: SlotName = 'x';

export interface Peer {
  role: NodeRole;
  masterId: string;
  epoch: number;
  failed: boolean;
}

/** What a node says in every ping and pong: its own claims, or as a replica those of its master. */
export interface Header {
  readonly kind: 'header';
  readonly from: string;
  readonly role: NodeRole;
  readonly masterId: string;
  readonly epoch: number;
  readonly currentEpoch: number;
  readonly claims: readonly SlotName[];
}

/** Sent to a node that claims a slot for which the sender knows a higher epoch. */
export interface Update {
  readonly kind: 'update';
  readonly about: string;
  readonly epoch: number;
  readonly claims: readonly SlotName[];
}

/** One entry of the replication stream. */
export interface Change {
  readonly key: string;
  /** Undefined: deleted. */
  readonly version: number | undefined;
  readonly by: 'client' | 'migrate' | 'gossip';
}

/** What nodes.conf holds. */
interface NodesConf {
  readonly table: ReadonlyMap<SlotName, string>;
  readonly epoch: number;
  readonly currentEpoch: number;
  readonly migratingTo: string | undefined;
  readonly importingFrom: string | undefined;
}

export type Refusal = 'refused' | undefined;

export class RedisNode {
  readonly id: string;
  readonly shard: string;
  role: NodeRole;
  masterId = '';
  epoch: number;
  currentEpoch = 0;
  up = true;
  /** Of its dataset: another one after each start and each change of its role. */
  life = 0;
  /** Its bus is cut; clients and the mover reach it all the same. */
  cutOff = false;
  /** Since its bus says nothing (down or cut off); undefined: it is heard. */
  silentSince: number | undefined = undefined;
  /** A node that just came back serves nobody before. */
  serveAfter = 0;
  migratingTo: string | undefined = undefined;
  importingFrom: string | undefined = undefined;
  readonly table = new Map<SlotName, string>();
  readonly peers = new Map<string, Peer>();
  keys = new Map<string, number>();
  /** As a master: what it has told its replicas. */
  log: Change[] = [];
  /** As a replica: how much of its master's log it has. */
  position = 0;
  needsSync = false;
  #saved: NodesConf;

  constructor(id: string, shard: string, role: NodeRole, epoch: number) {
    this.id = id;
    this.shard = shard;
    this.role = role;
    this.epoch = epoch;
    this.#saved = this.#nodesConf();
  }

  owns(slot: SlotName = MOVED_SLOT): boolean {
    return this.role === 'master' && this.table.get(slot) === this.id;
  }

  /** Of a node in this one's view. */
  epochOf(id: string): number {
    return id === this.id ? this.epoch : (this.peers.get(id)?.epoch ?? 0);
  }

  apply(change: Change): void {
    if (change.version === undefined) this.keys.delete(change.key);
    else this.keys.set(change.key, change.version);
    this.log.push(change);
  }

  // Commands.

  setImporting(from: string): Refusal {
    if (this.role !== 'master' || this.owns()) return 'refused';
    if (this.peers.get(from)?.role !== 'master') return 'refused';
    this.importingFrom = from;
    return undefined;
  }

  setMigrating(to: string): Refusal {
    if (!this.owns() || this.peers.get(to)?.role !== 'master') return 'refused';
    this.migratingTo = to;
    return undefined;
  }

  setStable(): Refusal {
    if (this.role !== 'master') return 'refused';
    this.migratingTo = undefined;
    this.importingFrom = undefined;
    return undefined;
  }

  /** `'broadcast'`: done, and everybody is told at once. */
  setNode(owner: string): Refusal | 'broadcast' {
    if (this.role !== 'master') return 'refused';
    if (owner !== this.id && this.peers.get(owner)?.role !== 'master') return 'refused';
    if (this.owns() && owner !== this.id && this.keys.size > 0) return 'refused';
    if (this.keys.size === 0) this.migratingTo = undefined;
    this.table.set(MOVED_SLOT, owner);
    if (owner !== this.id || this.importingFrom === undefined) return undefined;
    this.importingFrom = undefined;
    this.bumpEpoch();
    return 'broadcast';
  }

  /** Without consensus, and only if another node has as high a one; that is when nodes.conf is fsynced. */
  bumpEpoch(): void {
    const known = [this.currentEpoch, ...[...this.peers.values()].map(({ epoch }) => epoch)];
    const highest = Math.max(this.epoch, ...known);
    if (this.epoch !== 0 && this.epoch === highest) return;
    this.raiseEpoch(highest);
  }

  raiseEpoch(above: number): void {
    this.currentEpoch = above + 1;
    this.epoch = this.currentEpoch;
    this.saveConfig();
  }

  saveConfig(): void {
    this.#saved = this.#nodesConf();
  }

  /** After a power cut: the data of the AOF, and the nodes.conf that was fsynced last. */
  forgetUnsaved(): void {
    const { table, epoch, currentEpoch, migratingTo, importingFrom } = this.#saved;
    this.table.clear();
    for (const [slot, owner] of table) this.table.set(slot, owner);
    Object.assign(this, { epoch, currentEpoch, migratingTo, importingFrom });
  }

  #nodesConf(): NodesConf {
    const { epoch, currentEpoch, migratingTo, importingFrom } = this;
    return { table: new Map(this.table), epoch, currentEpoch, migratingTo, importingFrom };
  }

  // Messages.

  header(): Header {
    const speaksFor = this.role === 'master' ? this.id : this.masterId;
    return {
      kind: 'header',
      from: this.id,
      role: this.role,
      masterId: this.masterId,
      epoch: this.epochOf(speaksFor),
      currentEpoch: this.currentEpoch,
      claims: this.#slotsOf(speaksFor),
    };
  }

  /** Takes a header in; an answer goes back to its sender. */
  hear(header: Header): Update | undefined {
    const peer = this.peers.get(header.from);
    if (peer === undefined) return undefined;
    this.currentEpoch = Math.max(this.currentEpoch, header.currentEpoch);
    peer.failed = false;
    if (header.role === 'master') {
      peer.role = 'master';
      peer.masterId = '';
      peer.epoch = Math.max(peer.epoch, header.epoch);
      this.#learnSlots(header.from, header.epoch, header.claims);
    } else {
      // A master that turned into a replica has no slots any more.
      if (peer.role === 'master') this.#dropSlotsOf(header.from);
      peer.role = 'replica';
      peer.masterId = header.masterId;
    }
    this.#resolveCollision(header);
    return this.#contradiction(header);
  }

  learn({ about, epoch, claims }: Update): void {
    const peer = this.peers.get(about);
    if (peer === undefined || peer.epoch >= epoch) return;
    peer.role = 'master';
    peer.masterId = '';
    peer.epoch = epoch;
    this.#learnSlots(about, epoch, claims);
  }

  /** Whether it gives a replica of a failed master its vote (clusterSendFailoverAuthIfNeeded). */
  votesFor(candidate: RedisNode, failedId: string): boolean {
    if (this.role !== 'master' || this.peers.get(failedId)?.failed !== true) return false;
    if (candidate.currentEpoch + 1 < this.currentEpoch) return false;
    const requestEpoch = candidate.epochOf(failedId);
    return candidate.#slotsOf(failedId).every((slot) => {
      const owner = this.table.get(slot);
      return owner === undefined || this.epochOf(owner) <= requestEpoch;
    });
  }

  /** Takes the place of its master, with what it knows of that one's slots. */
  takeOver(): void {
    const slots = this.#slotsOf(this.masterId);
    this.role = 'master';
    this.masterId = '';
    this.log = [];
    this.raiseEpoch(this.currentEpoch);
    for (const slot of slots) this.table.set(slot, this.id);
    this.saveConfig();
  }

  /** clusterUpdateSlotsConfigWith: the higher epoch wins; slots that are being imported are frozen. */
  #learnSlots(from: string, epoch: number, claims: readonly SlotName[]): void {
    if (from === this.id) return;
    const current = this.role === 'master' ? this.id : this.masterId;
    let hasLost = false;
    let isDirty = false;
    for (const slot of claims) {
      const owner = this.table.get(slot);
      if (owner === from || (slot === MOVED_SLOT && this.importingFrom !== undefined)) continue;
      if (owner !== undefined && this.epochOf(owner) >= epoch) continue;
      if (owner === this.id && slot === MOVED_SLOT && this.keys.size > 0) isDirty = true;
      if (owner === current) hasLost = true;
      this.table.set(slot, from);
    }
    if (hasLost && this.#slotsOf(current).length === 0) this.#follow(from);
    else if (isDirty) this.#deleteKeys();
  }

  #follow(master: string): void {
    this.role = 'replica';
    this.masterId = master;
    this.migratingTo = undefined;
    this.importingFrom = undefined;
    this.needsSync = true;
    this.log = [];
  }

  #deleteKeys(): void {
    for (const key of this.keys.keys()) this.apply({ key, version: undefined, by: 'gossip' });
  }

  /** Of two masters with one epoch, the one with the smaller name takes a new one. */
  #resolveCollision(header: Header): void {
    const isCollision =
      this.role === 'master' && header.role === 'master' && header.epoch === this.epoch;
    if (isCollision && header.from > this.id) this.raiseEpoch(this.currentEpoch);
  }

  #contradiction({ from, epoch, claims }: Header): Update | undefined {
    for (const slot of claims) {
      const owner = this.table.get(slot);
      if (owner === undefined || owner === from || this.epochOf(owner) <= epoch) continue;
      return {
        kind: 'update',
        about: owner,
        epoch: this.epochOf(owner),
        claims: this.#slotsOf(owner),
      };
    }
    return undefined;
  }

  #dropSlotsOf(id: string): void {
    for (const slot of this.#slotsOf(id)) this.table.delete(slot);
  }

  #slotsOf(id: string): SlotName[] {
    return [...this.table].flatMap(([slot, owner]) => (owner === id ? [slot] : []));
  }
}
