/**
 * The cluster of the model: time, messages that come late and in any order, replication that lags, crashes,
 * partitions of the bus, elections. One tick is 20 ms.
 *
 * Faithful in what is bounded too: pings reach every node in time, a node that is cut off stops serving before a replica
 * of it can be elected, and nobody stands for election before half a second has passed.
 */
import { MOVED_SLOT, RedisNode, type Change, type Header, type Update } from './redis-node.ts';

export const TICK_MS = 20;
export const NODE_TIMEOUT_MS = 800;
const TIMEOUT_TICKS = NODE_TIMEOUT_MS / TICK_MS;
/** 500 ms, clusterHandleSlaveFailover. */
const ELECTION_TICKS = 25;
const HEARTBEAT_TICKS = 15;
/** No message is under way for longer. */
const DELIVERY_TICKS = 10;
/** A node that is back serves when its ping and the answer of any other have had their time: 15 + 10 + 10, and some. */
const REJOIN_TICKS = 40;

interface Message {
  readonly to: string;
  readonly sentAt: number;
  readonly body: Header | Update;
}

export interface ClusterShape {
  /** Masters beside the two ends. */
  readonly witnesses: number;
  /** Whether the target has slots of its own already, and with them the highest epoch. */
  readonly targetIsHighest: boolean;
}

export class Cluster {
  readonly nodes = new Map<string, RedisNode>();
  now = 0;
  /** Keys that died with a target before its replica had them: the one loss that the protocol allows. */
  readonly unreplicated = new Map<string, number>();
  /** Of those, what was lost after the target owned the slot: never allowed. */
  lostAfterHandover = 0;
  promotions = 0;
  /** What happened to nodes, for messages. */
  readonly notes: string[] = [];
  #messages: Message[] = [];
  readonly #failedAt = new Map<string, number>();
  /** Whose messages reach nobody for now, as if each were late. */
  #muted: string | undefined;

  constructor(shape: ClusterShape) {
    const shards = ['s', 't', ...Array.from({ length: shape.witnesses }, (_, i) => `w${i + 1}`)];
    shards.forEach((shard, index) => {
      const isTarget = shard === 't';
      const epoch = isTarget && shape.targetIsHighest ? shards.length + 1 : index + 1;
      this.#add(new RedisNode(`${shard}1`, shard, 'master', epoch));
      if (shard === 's' || isTarget) this.#add(new RedisNode(`${shard}2`, shard, 'replica', 0));
    });
    this.#introduce(shards);
  }

  node(id: string): RedisNode {
    const node = this.nodes.get(id);
    if (node === undefined) throw new TypeError(`no node ${id}`);
    return node;
  }

  shard(shard: string): RedisNode[] {
    return [...this.nodes.values()].filter((node) => node.shard === shard);
  }

  /** The one that is master of the shard in the eyes of the cluster. */
  masterOf(shard: string): RedisNode {
    const masters = this.shard(shard).filter(({ role }) => role === 'master');
    return masters.reduce((best, node) => (node.epoch > best.epoch ? node : best));
  }

  replicasOf(master: RedisNode): RedisNode[] {
    return this.shard(master.shard).filter(
      ({ role, masterId }) => role === 'replica' && masterId === master.id,
    );
  }

  /** Whether it answers clients that ask for keys. */
  serves(node: RedisNode): boolean {
    return node.up && !this.isFenced(node);
  }

  isFenced(node: RedisNode): boolean {
    const isAlone = node.silentSince !== undefined && this.now - node.silentSince >= TIMEOUT_TICKS;
    return isAlone || this.now < node.serveAfter;
  }

  tick(): void {
    this.now += 1;
    let index = 0;
    for (const node of this.nodes.values()) {
      if ((this.now + index * 3) % HEARTBEAT_TICKS === 0) this.broadcast(node);
      index += 1;
    }
    const late = this.#messages.filter(({ sentAt }) => this.now - sentAt > DELIVERY_TICKS);
    this.#messages = this.#messages.filter((message) => !late.includes(message));
    for (const message of late) this.#deliver(message);
  }

  broadcast(node: RedisNode): void {
    for (const other of this.nodes.values()) {
      if (other !== node) this.#send(node, other.id, node.header());
    }
  }

  /** Delivers any one message, whichever was sent first. */
  deliverOne(choice: number): void {
    if (this.#messages.length === 0) return;
    const [message] = this.#messages.splice(choice % this.#messages.length, 1);
    if (message !== undefined) this.#deliver(message);
  }

  deliverAll(): void {
    // Updates are sent in answer; two rounds carry what the first one caused.
    for (let round = 0; round < 3; round += 1) {
      const messages = this.#messages;
      this.#messages = [];
      for (const message of messages) this.#deliver(message);
    }
  }

  replicate(replica: RedisNode): void {
    const master = this.nodes.get(replica.masterId);
    if (replica.role !== 'replica' || !replica.up || master === undefined) return;
    if (!master.up || master.role !== 'master') return;
    if (replica.needsSync || replica.position > master.log.length) {
      replica.keys = new Map(master.keys);
      replica.position = master.log.length;
      replica.needsSync = false;
      return;
    }
    const change = master.log[replica.position];
    if (change === undefined) return;
    replica.position += 1;
    applyTo(replica, change);
  }

  /** SIGKILL: memory is gone; AOF and nodes.conf are as they were. */
  kill(node: RedisNode): void {
    this.#note(`${node.id} killed`);
    node.up = false;
    node.silentSince ??= this.now;
    this.#dropMessages(node);
  }

  restart(node: RedisNode): void {
    if (node.up) return;
    this.#note(`${node.id} restarted`);
    node.up = true;
    node.life += 1;
    if (!node.cutOff) node.silentSince = undefined;
    node.serveAfter = this.now + REJOIN_TICKS;
  }

  powerCut(node: RedisNode): void {
    this.#note(`${node.id} loses power`);
    this.kill(node);
    node.forgetUnsaved();
  }

  /**
   * Not while its shard has two masters, before the old one has heard: then Redis lets both serve for a node timeout,
   * whatever a mover does.
   */
  cutOff(node: RedisNode): void {
    if (this.shard(node.shard).filter(({ role }) => role === 'master').length > 1) return;
    this.#note(`${node.id} cut off`);
    node.cutOff = true;
    node.silentSince ??= this.now;
    // It had not heard from everybody yet, so it still serves nobody.
    if (this.now < node.serveAfter) node.serveAfter = Infinity;
    this.#dropMessages(node);
  }

  heal(node: RedisNode): void {
    if (!node.cutOff) return;
    this.#note(`${node.id} heard again`);
    node.cutOff = false;
    if (node.up) node.silentSince = undefined;
    node.serveAfter = this.now + REJOIN_TICKS;
  }

  /** Until it is called with undefined. */
  mute(id: string | undefined): void {
    this.#muted = id;
  }

  /** The others agree that a node which they have not heard for the node timeout has failed. */
  markFailed(node: RedisNode): void {
    if (node.silentSince === undefined || this.now - node.silentSince < TIMEOUT_TICKS) return;
    const connected = [...this.nodes.values()].filter(
      (other) => other !== node && other.silentSince === undefined,
    );
    const masters = connected.filter(({ role }) => role === 'master').length;
    if (masters < this.#majority()) return;
    for (const other of connected) {
      const peer = other.peers.get(node.id);
      if (peer !== undefined) peer.failed = true;
    }
    if (!this.#failedAt.has(node.id)) this.#failedAt.set(node.id, this.now);
  }

  /** A replica of a failed master stands for election. */
  elect(replica: RedisNode): boolean {
    const master = this.nodes.get(replica.masterId);
    const failedAt = this.#failedAt.get(replica.masterId);
    if (master === undefined || failedAt === undefined) return false;
    if (replica.role !== 'replica' || replica.silentSince !== undefined || !replica.up)
      return false;
    if (replica.needsSync || this.now - failedAt < ELECTION_TICKS) return false;
    if (replica.peers.get(master.id)?.failed !== true) return false;
    const votes = [...this.nodes.values()].filter(
      (voter) => voter.silentSince === undefined && voter.votesFor(replica, master.id),
    );
    if (votes.length < this.#majority()) return false;
    this.#noteLosses(master, replica);
    replica.takeOver();
    for (const voter of votes) voter.currentEpoch = Math.max(voter.currentEpoch, replica.epoch);
    this.promotions += 1;
    this.#note(`${replica.id} promoted`);
    this.#failedAt.delete(master.id);
    this.broadcast(replica);
    return true;
  }

  #note(text: string): void {
    this.notes.push(`${this.now} ${text}`);
  }

  #majority(): number {
    const masters = new Set([...this.nodes.values()].map(({ shard }) => shard)).size;
    return Math.floor(masters / 2) + 1;
  }

  #noteLosses(master: RedisNode, replica: RedisNode): void {
    for (const change of master.log.slice(replica.position)) {
      if (change.by !== 'migrate' || change.version === undefined) continue;
      this.unreplicated.set(
        change.key,
        Math.max(change.version, this.unreplicated.get(change.key) ?? 0),
      );
      if (master.owns(MOVED_SLOT)) this.lostAfterHandover += 1;
    }
  }

  #send(from: RedisNode, to: string, body: Header | Update): void {
    const target = this.node(to);
    if (!isOnBus(from) || !isOnBus(target) || from.id === this.#muted) return;
    this.#messages.push({ to, sentAt: this.now, body });
  }

  #deliver({ to, body }: Message): void {
    const node = this.node(to);
    if (!isOnBus(node)) return;
    if (body.kind === 'update') {
      node.learn(body);
      return;
    }
    const answer = node.hear(body);
    this.#failedAt.delete(body.from);
    if (answer !== undefined) this.#send(node, body.from, answer);
  }

  /** Its links are broken: nothing that was under way arrives. */
  #dropMessages(node: RedisNode): void {
    this.#messages = this.#messages.filter(
      ({ to, body }) => to !== node.id && !(body.kind === 'header' && body.from === node.id),
    );
  }

  #add(node: RedisNode): void {
    this.nodes.set(node.id, node);
  }

  #introduce(shards: readonly string[]): void {
    const all = [...this.nodes.values()];
    const highest = Math.max(...all.map(({ epoch }) => epoch));
    for (const node of all) {
      node.currentEpoch = highest;
      if (node.role === 'replica') node.masterId = `${node.shard}1`;
      for (const shard of shards) node.table.set(shard, `${shard}1`);
      node.table.set(MOVED_SLOT, 's1');
      for (const { id, role, epoch, shard } of all) {
        const masterId = role === 'replica' ? `${shard}1` : '';
        if (id !== node.id) node.peers.set(id, { role, masterId, epoch, failed: false });
      }
      node.saveConfig();
    }
  }
}

function isOnBus(node: RedisNode): boolean {
  return node.up && !node.cutOff;
}

function applyTo(node: RedisNode, { key, version }: Change): void {
  if (version === undefined) node.keys.delete(key);
  else node.keys.set(key, version);
}
