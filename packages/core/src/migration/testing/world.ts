/** A cluster, its clients and a mover, driven by a list of events: what may happen while a slot moves. */
import type { SlotAction } from '../slot-action.ts';
import type { SlotFacts } from '../slot-facts.ts';
import { Clients } from './clients.ts';
import { Cluster, type ClusterShape } from './cluster.ts';
import { Mover } from './mover.ts';
import { assertSafe, type Promises } from './safety.ts';

export type EventKind =
  | 'mover'
  | 'client'
  | 'gossip'
  | 'replicate'
  | 'expire'
  | 'loseAnswer'
  | 'crashMover'
  | 'stop'
  | 'resume'
  | 'kill'
  | 'restart'
  | 'powerCut'
  | 'cutOff'
  | 'heal'
  | 'fail'
  | 'elect'
  | 'idle';

export interface WorldEvent {
  readonly kind: EventKind;
  /** Which of the things it may happen to. */
  readonly choice: number;
}

export interface WorldOptions extends ClusterShape {
  /** A write counts once a replica has it; for worlds in which replicas are promoted. */
  readonly waitsForReplica: boolean;
  /** False: two owners at once are not an error yet, so that a test can see what comes of them. */
  readonly oneServer?: boolean;
}

export class World {
  readonly cluster: Cluster;
  readonly clients: Clients;
  readonly mover: Mover;
  readonly promises: Promises;

  constructor(options: WorldOptions, decide: (facts: SlotFacts) => SlotAction) {
    this.cluster = new Cluster(options);
    this.clients = new Clients(this.cluster, options.waitsForReplica);
    this.mover = new Mover(this.cluster, decide);
    this.promises = {
      readsAreFresh: !options.waitsForReplica,
      oneServer: options.oneServer ?? true,
    };
  }

  happen({ kind, choice }: WorldEvent): void {
    this.#carryOut(kind, choice);
    this.cluster.tick();
    this.clients.collect();
    assertSafe(this);
  }

  /** Nothing dies any more, and everything that is down comes back: an end has to come. */
  calmDown(maxTicks: number, intent: SlotFacts['intent'] = 'move'): void {
    this.mover.intent = intent;
    this.mover.answerLost = false;
    if (this.mover.end?.kind === 'done') this.mover.crash();
    for (const node of this.cluster.nodes.values()) {
      this.cluster.heal(node);
      this.cluster.restart(node);
    }
    for (let tick = 0; tick < maxTicks && this.mover.end === undefined; tick += 1) {
      this.cluster.deliverAll();
      for (const node of this.cluster.nodes.values()) {
        for (let step = 0; step < 4; step += 1) this.cluster.replicate(node);
      }
      this.happen({ kind: 'mover', choice: 3 });
      this.happen({ kind: 'client', choice: tick });
    }
  }

  /** Whether the slot's end has come, and all that is under way with it. */
  settle(): void {
    for (let tick = 0; tick < 60; tick += 1) {
      this.cluster.deliverAll();
      this.happen({ kind: 'idle', choice: 0 });
      for (const node of this.cluster.nodes.values()) this.cluster.replicate(node);
    }
  }

  #carryOut(kind: EventKind, choice: number): void {
    const { cluster, mover } = this;
    const nodes = [...cluster.nodes.values()];
    const any = nodes[choice % nodes.length] ?? cluster.node('s1');
    const ends = nodes.filter(({ shard }) => shard === 's' || shard === 't');
    const end = ends[choice % ends.length] ?? cluster.node('s1');
    switch (kind) {
      case 'mover':
        return mover.step(choice);
      case 'client':
        return this.clients.step(choice);
      case 'gossip':
        return cluster.deliverOne(choice);
      case 'replicate':
        return cluster.replicate(any);
      case 'expire':
        return this.clients.expire(choice);
      case 'loseAnswer':
        mover.answerLost = true;
        return;
      case 'crashMover':
        return mover.crash();
      case 'stop':
      case 'resume':
        mover.intent = kind === 'stop' ? 'settle' : 'move';
        if (mover.end?.kind === 'done') mover.end = undefined;
        return;
      case 'kill':
        return cluster.kill(end);
      case 'restart':
        return cluster.restart(end);
      case 'powerCut':
        return cluster.powerCut(cluster.masterOf('t'));
      case 'cutOff':
        return cluster.cutOff(cluster.masterOf('s'));
      case 'heal':
        return nodes.forEach((node) => cluster.heal(node));
      case 'fail':
        return cluster.markFailed(end);
      case 'elect':
        ends.some((replica) => cluster.elect(replica));
        return;
      case 'idle':
        return;
    }
  }
}
