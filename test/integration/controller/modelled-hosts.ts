/**
 * Hosts whose agents do in core's model what they are told to, for tests of what the controller
 * does around clusters: what it stores, refuses, begins and leaves alone. Nothing is learned here
 * of Redis or of agents; with these everything is tested end to end.
 */
import {
  absentNode,
  applyStep,
  countSlots,
  settle,
  stepKey,
  type Attempt,
  type MoveProgress,
  type QuarantinedSlot,
  type SlotRange,
  type Layout,
  type LayoutNode,
  type NodeKey,
  type NodeObservation,
  type Observation,
  type ProcessState,
  type Step,
} from '@redrover/core';
import type { Command } from '@redrover/proto';
import {
  attemptToProto,
  moveProgressToProto,
  moveReportToProto,
  moverToProto,
  nodeObservationToProto,
  slotRangeFromProto,
  slotSurveyToProto,
  stepFromProto,
} from '@redrover/wire';

import {
  firstSlots,
  ModelledMovers,
  reportOf,
  surveyOf,
  type HeldMove,
} from './modelled-movers.ts';
import { ScriptedAgent } from './scripted-agent.ts';
import type { dialAgents } from './support.ts';

type AgentClient = ReturnType<typeof dialAgents>;

/** Of the release that the tests' specs name: nothing needs to be compiled. */
const BUILD = { id: 'build-1', release: 'redis-7.2.4' };

const BEAT_MS = 250;

export class ModelledHosts {
  /** Steps that were done, in their order, as `kind node`. */
  readonly done: string[] = [];
  /** At work until they are let finish, or told to stop. */
  readonly movers = new ModelledMovers();
  /** In each slot, as agents count them. */
  bytesIn: (slot: number) => number = () => 1_000;
  /** How many slots a mover gets done until it stops. */
  slotsUntilStop = 100;
  /** Agents say this instead of doing the step. */
  refuse: ((step: Step) => string | undefined) | undefined;
  readonly #agents = new Map<string, ScriptedAgent>();
  /** What movers have done whose end nobody heard of, by host. */
  readonly #unheard = new Map<string, Attempt[]>();
  readonly #addresses = new Map<string, string>();
  #world: Observation = { hosts: {}, nodes: {}, sharedBuilds: [] };
  #layout: Layout | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** Agents of these hosts dial, also after the controller was started again. */
  async connect(client: AgentClient, hosts: readonly string[]): Promise<void> {
    for (const host of hosts) {
      const address = this.#addresses.get(host) ?? `127.0.0.${this.#addresses.size + 1}`;
      this.#addresses.set(host, address);
      const connecting: Promise<ScriptedAgent> = ScriptedAgent.connect(client, {
        host,
        address,
        builds: [BUILD],
        // The first may come before the one who connects knows of it.
        onCommand: async (command) => this.#obey(host, await connecting, command),
        onCancel: (command) => void this.#stop(this.movers.findByCommand(command)),
      });
      this.#agents.set(host, await connecting);
    }
    await this.beat();
    this.#timer ??= setInterval(() => void this.beat(), BEAT_MS);
  }

  /** The host gets this address; said by the next hello. */
  moveTo(host: string, address: string): void {
    this.#addresses.set(host, address);
  }

  /** As a cut cable would: the streams end and no beat comes any more. */
  silence(hosts: readonly string[]): void {
    for (const host of hosts) {
      this.#agents.get(host)?.drop();
      this.#agents.delete(host);
    }
  }

  /** The hosts are gone, with all that ran on them; their disks are as they were. */
  async crash(hosts: readonly string[]): Promise<void> {
    this.silence(hosts);
    const there = Object.values(this.#world.nodes).filter(({ host }) => hosts.includes(host));
    for (const { key, process } of there) {
      if (process.state !== 'absent') await this.setState(key, 'stopped');
    }
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.silence([...this.#agents.keys()]);
  }

  /** The model has to know where nodes are before they are made there. */
  know(layout: Layout): void {
    const known = new Map(this.#layout?.nodes.map((node) => [node.key, node]));
    for (const node of layout.nodes) known.set(node.key, node);
    this.#layout = { ...layout, nodes: [...known.values()] };
    const absent = layout.nodes.map((node) => [node.key, absentNode(node, 0)]);
    const nodes = { ...Object.fromEntries(absent), ...this.#world.nodes };
    this.#world = { ...this.#world, nodes };
  }

  /** What is true of a node now. */
  node(key: NodeKey): NodeObservation {
    const node = this.#world.nodes[key];
    if (node === undefined) throw new Error(`the model has no node ${key}`);
    return node;
  }

  /** Something happens that nobody asked for: a failover, say. */
  async happen(step: Step): Promise<void> {
    this.#apply(step);
    await this.beat();
  }

  /** The node's process does something else from now on. */
  async setState(key: NodeKey, state: ProcessState): Promise<void> {
    const node = this.node(key);
    const process = { ...node.process, state };
    // What it would say if it ran is kept in the model, and not told.
    this.#world = {
      ...this.#world,
      nodes: { ...this.#world.nodes, [key]: { ...node, process } },
    };
    await this.beat();
  }

  async beat(): Promise<void> {
    await Promise.all(
      [...this.#agents].map(async ([host, agent]) => {
        const nodes = this.#nodesOf(host).map((node) => nodeObservationToProto(node, FULL));
        const movers = this.movers.on(host).map(moverToProto);
        await agent.beat({ nodes, builds: [BUILD], movers }).catch(() => undefined);
      }),
    );
  }

  #nodesOf(host: string): NodeObservation[] {
    const now = Date.now();
    const nodes = Object.values(this.#world.nodes).filter((node) => node.host === host);
    const present = nodes.filter(({ process }) => process.state !== 'absent');
    return present.map((node) => ({ ...asTold(node), observedAtMs: now }));
  }

  /** @returns false for what these hosts do not know how to do. */
  async #obey(host: string, agent: ScriptedAgent, { id, command }: Command): Promise<boolean> {
    if (command.case === 'observeNodes') {
      const nodes = command.value.nodes.map((key) => this.#report(host, key));
      await agent.answer({ id, result: { case: 'observation', value: { nodes } } });
      return true;
    }
    if (command.case === 'surveySlots') {
      const { node, slots } = command.value;
      const ranges = slots.map((range) => slotRangeFromProto(range));
      const value = slotSurveyToProto(surveyOf(node, ranges, this.bytesIn));
      await agent.answer({ id, result: { case: 'survey', value } });
      return true;
    }
    if (command.case !== 'step' || command.value.step === undefined) return false;
    const step = stepFromProto(command.value.step);
    const refusal = this.refuse?.(step);
    if (refusal !== undefined) {
      await agent.answer({ id, error: { code: 'unavailable', message: refusal, context: {} } });
      return true;
    }
    if (step.kind === 'moveSlots') {
      this.movers.begin(host, id, { step, cluster: command.value.fence?.cluster ?? '' });
      return true;
    }
    if (step.kind === 'stopMoves') {
      for (const move of this.movers.held.filter((each) => each.host === host)) {
        await this.#stop(move);
      }
    }
    this.#apply(step);
    this.done.push(`${step.kind} ${'node' in step ? step.node : host}`);
    await agent.answer({ id, result: { case: 'step', value: this.#resultOf(host) } });
    return true;
  }

  #resultOf(host: string) {
    const earlierMoves = (this.#unheard.get(host) ?? []).map(attemptToProto);
    this.#unheard.delete(host);
    return {
      earlierMoves,
      nodes: this.#nodesOf(host).map((node) => nodeObservationToProto(node, FULL)),
      builds: [BUILD],
      movers: this.movers.on(host).map(moverToProto),
      hasMovers: true,
    };
  }

  /** What the mover does is told to whoever watches. */
  async tell({ host, command, step }: HeldMove, slotsDone: number): Promise<void> {
    const move: MoveProgress = {
      source: step.source.node,
      target: step.target.node,
      engine: step.engine,
      slotsDone,
      slotsTotal: countSlots(step.slots),
      keysDone: slotsDone * 10,
      keysTotal: countSlots(step.slots) * 10,
      bytesDone: slotsDone * 1_000,
      bytesTotal: countSlots(step.slots) * 1_000,
      keysPerS: 100,
      bytesPerS: 10_000,
      blockedMs: 3,
      quarantinedSlots: 0,
      state: 'moving',
    };
    const value = { id: command ?? '', move: moveProgressToProto(move) };
    await this.#agents.get(host)?.send({ case: 'progress', value });
  }

  /** The mover comes to its end; what it has given up stays where it is. */
  async finish(move: HeldMove, quarantined: readonly QuarantinedSlot[] = []): Promise<void> {
    const { host, step, command } = move;
    const left = quarantined.map(({ slot }) => ({ start: slot, end: slot }));
    const slots = subtractSlots(step.slots, left);
    this.movers.end(move);
    this.#apply({ ...step, slots });
    this.done.push(`moveSlots ${step.source.node} > ${step.target.node}`);
    const report = moveReportToProto(reportOf(step, slots, quarantined));
    const value = { ...this.#resultOf(host), move: report };
    await this.#agents.get(host)?.answer({ id: command ?? '', result: { case: 'step', value } });
  }

  /** The mover comes to its end while nobody is there to hear of it. */
  finishUnheard(move: HeldMove): void {
    const { host, step } = move;
    this.movers.end(move);
    this.#apply(step);
    const attempt: Attempt = {
      stepKey: stepKey(step),
      startedAtMs: Date.now() - 1_000,
      endedAtMs: Date.now(),
      outcome: 'ok',
      errorCode: undefined,
      message: '',
      move: reportOf(step, step.slots),
    };
    this.#unheard.set(host, [...(this.#unheard.get(host) ?? []), attempt]);
  }

  /** At the end of a window, as a mover does that is told to. */
  async #stop(move: HeldMove | undefined): Promise<void> {
    if (move === undefined) return;
    const { host, step, command } = move;
    const slots = firstSlots(step.slots, this.slotsUntilStop);
    this.movers.end(move);
    this.#apply({ ...step, slots });
    const error = {
      code: 'cancelled',
      message: 'stopped at the end of a window',
      context: {},
      move: moveReportToProto(reportOf(step, slots)),
    };
    await this.#agents.get(host)?.answer({ id: command ?? '', error });
  }

  #report(host: string, key: NodeKey) {
    const seen = this.#world.nodes[key];
    const port = Number(key.slice(key.lastIndexOf(':') + 1));
    const node = seen ?? absentNode({ key, host, port } as LayoutNode, 0);
    return nodeObservationToProto({ ...asTold(node), observedAtMs: Date.now() }, FULL);
  }

  #apply(step: Step): void {
    if (this.#layout === undefined) throw new Error('the model knows no layout');
    const world = applyStep(this.#world, step, this.#layout);
    // For a minute no gossip brings back an id that was forgotten.
    this.#world = step.kind === 'forgetNodes' ? world : settle(world);
  }
}

/** Without single slots. */
function subtractSlots(slots: readonly SlotRange[], without: readonly SlotRange[]): SlotRange[] {
  return without.reduce<SlotRange[]>(
    (left, { start: slot }) =>
      left.flatMap(({ start, end }) =>
        slot < start || slot > end
          ? [{ start, end }]
          : [
              { start, end: slot - 1 },
              { start: slot + 1, end },
            ].filter((range) => range.start <= range.end),
      ),
    [...slots],
  );
}

/** Only a running node answers. */
function asTold(node: NodeObservation): NodeObservation {
  return node.process.state === 'running' ? node : { ...node, redis: undefined };
}

const FULL = { view: 'full' } as const;
