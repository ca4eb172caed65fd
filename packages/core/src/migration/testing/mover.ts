/**
 * The mover of the model: reads one node after another, asks the machine, executes its answer and nothing else. It can
 * die between any two steps; what it knew is gone then.
 */
import { judgeBusyKey, type SourceLife } from '../busy-key.ts';
import { followUp } from '../follow-up.ts';
import { slotFactsOf, type Asked, type NodeReading } from '../read-slot-facts.ts';
import type { SlotAction, SlotEffect } from '../slot-action.ts';
import type { SlotFacts, TaskFacts } from '../slot-facts.ts';
import { NODE_TIMEOUT_MS, TICK_MS, type Cluster } from './cluster.ts';
import { endOf, readingOf, SLOT } from './node-reading.ts';
import { MOVED_SLOT, type RedisNode } from './redis-node.ts';

/** What is decided is sent at once: after this many ticks it is thought over again. */
const ACT_TICKS = 2;
const BATCH_KEYS = 2;
const MAX_LAG = 2;

interface Task {
  readonly source: string;
  readonly target: string;
  readonly sourceReplicas: readonly string[];
  readonly targetReplicas: readonly string[];
  touched: boolean;
  saved: boolean;
  givenUpAt: number | undefined;
  conflict: TaskFacts['conflict'];
  readonly doubts: Map<string, SourceLife>;
}

interface Due {
  readonly action: SlotAction;
  readonly facts: SlotFacts;
  readonly decidedAt: number;
}

interface Look {
  readonly beganAt: number;
  readonly todo: string[];
  readonly answers: Map<string, NodeReading | undefined>;
  readonly keys: Map<string, number>;
}

export class Mover {
  intent: SlotFacts['intent'] = 'move';
  /** Set: the next MIGRATE is carried out on the target, and its answer is lost. */
  answerLost = false;
  /** Keys of which an answer was lost, ever. */
  readonly doubted = new Set<string>();
  /** Why the wave says that the source may raise its epoch. */
  sourceOtherRole: string | undefined = undefined;
  /** How it ended; undefined: under way. */
  end: SlotAction | undefined = undefined;
  /** Every action that it was given, for messages. */
  readonly actions: string[] = [];
  readonly #cluster: Cluster;
  readonly #decide: (facts: SlotFacts) => SlotAction;
  #task: Task | undefined;
  #look: Look | undefined;
  #due: Due | undefined;
  #batch: string[] = [];
  #state = { print: '', since: 0 };

  constructor(cluster: Cluster, decide: (facts: SlotFacts) => SlotAction) {
    this.#cluster = cluster;
    this.#decide = decide;
  }

  /** Dies; the next one goes on with the same task, as its file says, or gets a new one. */
  crash(keepsTask = false): void {
    const { source, target } = this.#task ?? { source: '', target: '' };
    this.#forget();
    if (!keepsTask || source === '') return;
    this.#task = newTask(this.#cluster, this.#cluster.node(source), this.#cluster.node(target));
  }

  #forget(): void {
    this.#task = undefined;
    this.#lookAgain();
    this.#state = { print: '', since: this.#cluster.now };
    this.end = undefined;
  }

  /** Asks a node or two, or decides, or acts. */
  step(choice: number): void {
    if (this.end !== undefined) return;
    const task = (this.#task ??= this.#newTask());
    if (this.#batch.length > 0) return this.#migrateNext(task);
    if (this.#due !== undefined) return this.#act(task);
    const look = (this.#look ??= this.#newLook(task, choice));
    for (let asked = 0; asked <= choice % 4 && look.todo.length > 0; asked += 1) this.#ask(look);
    if (look.todo.length === 0) this.#decideOn(task, look);
  }

  #newTask(): Task {
    const cluster = this.#cluster;
    return newTask(cluster, cluster.masterOf('s'), cluster.masterOf('t'));
  }

  #newLook(task: Task, choice: number): Look {
    const others = [...this.#cluster.nodes.keys()].filter((id) => id !== task.target);
    const turn = choice % others.length;
    // The target before its replicas: their offsets are compared with its.
    const todo = [task.target, ...others.slice(turn), ...others.slice(0, turn)];
    return { beganAt: this.#cluster.now, todo, answers: new Map(), keys: new Map() };
  }

  #ask(look: Look): void {
    const id = look.todo.shift();
    if (id === undefined) return;
    const node = this.#cluster.node(id);
    look.answers.set(id, node.up ? readingOf(this.#cluster, node) : undefined);
    look.keys.set(id, node.keys.size);
  }

  #decideOn(task: Task, look: Look): void {
    const facts = this.#factsOf(task, look);
    const action = this.#decide(facts);
    this.actions.push(`${this.#cluster.now} ${action.kind} (${action.rule})`);
    this.#look = undefined;
    if (action.kind === 'done' || action.kind === 'quarantine') this.end = action;
    else if (action.kind === 'wait' && action.replan) this.#task = undefined;
    else if (!isPause(action)) {
      this.#due = { action, facts, decidedAt: this.#cluster.now };
    }
  }

  #factsOf(task: Task, look: Look): SlotFacts {
    const { now } = this.#cluster;
    const asked = (node: RedisNode): Asked => ({
      end: endOf(node),
      reading: look.answers.get(node.id),
    });
    const source = this.#cluster.node(task.source);
    const target = this.#cluster.node(task.target);
    // As the plan named them: whoever followed the end then.
    const named = (ids: readonly string[]) => ids.map((id) => asked(this.#cluster.node(id)));
    const others = [...this.#cluster.nodes.values()].filter(({ shard }) => shard.startsWith('w'));
    const agoMs = (at: number | undefined) => (at === undefined ? undefined : (now - at) * TICK_MS);
    const facts = slotFactsOf(
      {
        source: asked(source),
        target: asked(target),
        sourceReplicas: named(task.sourceReplicas),
        targetReplicas: named(task.targetReplicas),
        otherMasters: others.map(asked),
        sourceOtherRole: this.sourceOtherRole,
        targetOtherRole: undefined,
        nodeTimeoutMs: NODE_TIMEOUT_MS,
        ageMs: (now - look.beganAt) * TICK_MS,
      },
      {
        slot: SLOT,
        intent: this.intent,
        sourceKeys: look.keys.get(task.source) ?? 0,
        targetKeys: look.keys.get(task.target) ?? 0,
        task: {
          touched: task.touched,
          targetConfigSaved: task.saved,
          givenUpForMs: agoMs(task.givenUpAt),
          keysInDoubt: task.doubts.size,
          conflict: task.conflict,
          oversized: undefined,
          maxReplicaLagBytes: MAX_LAG,
        },
        unchangedForMs: 0,
      },
    );
    return { ...facts, unchangedForMs: this.#unchangedForMs(facts) };
  }

  #unchangedForMs({ source, target, witnesses, sourceReplicas, targetReplicas }: SlotFacts) {
    const print = JSON.stringify([
      ...[source, target].map(({ said }) => said && { ...said, keys: 0 }),
      ...[...witnesses, ...sourceReplicas, ...targetReplicas].map(
        ({ said }) => said && [said.role, said.owner],
      ),
    ]);
    if (print !== this.#state.print) this.#state = { print, since: this.#cluster.now };
    return (this.#cluster.now - this.#state.since) * TICK_MS;
  }

  #finaliseTarget(due: Due, target: RedisNode): void {
    if (!target.up) return;
    const answer = target.setNode(target.id);
    if (answer === 'broadcast') this.#cluster.broadcast(target);
    if (answer !== 'refused') this.#follow(due);
  }

  /** What the node has answered may be followed by another effect, whatever happens in between. */
  #follow({ action, facts }: Due): void {
    if (action.kind === 'wait' || action.kind === 'moveKeys') return;
    const next = followUp(facts, action.kind as SlotEffect['kind'], this.#decide);
    if (next === undefined) return;
    this.actions.push(`${this.#cluster.now} ${next.action.kind} (${next.action.rule}), at once`);
    this.#due = { ...next, decidedAt: this.#cluster.now };
  }

  #act(task: Task): void {
    const due = this.#due;
    this.#due = undefined;
    if (due === undefined || this.#cluster.now - due.decidedAt > ACT_TICKS) return;
    const { action } = due;
    const source = this.#cluster.node(task.source);
    const target = this.#cluster.node(task.target);
    switch (action.kind) {
      case 'setImporting':
        if (target.up && target.setImporting(source.id) === undefined) {
          task.touched = true;
          this.#follow(due);
        }
        break;
      case 'setMigrating':
        if (source.up && source.setMigrating(target.id) === undefined) task.touched = true;
        break;
      case 'nameSource':
        if (target.up) target.setNode(source.id);
        break;
      case 'moveKeys':
        this.#batch = [...new Set([...task.doubts.keys(), ...source.keys.keys()])];
        this.#batch.length = Math.min(this.#batch.length, BATCH_KEYS);
        break;
      case 'finaliseTarget':
        task.saved = false;
        this.#finaliseTarget(due, target);
        break;
      case 'saveTargetConfig':
        if (target.up) {
          target.saveConfig();
          task.saved = true;
          this.#follow(due);
        }
        break;
      case 'finaliseSource':
        if (source.up && source.setNode(target.id) === undefined) {
          task.givenUpAt = this.#cluster.now;
        }
        break;
      case 'tellMasters':
        for (const id of action.nodeIds) {
          const master = this.#cluster.node(id);
          if (master.up) master.setNode(target.id);
        }
        break;
      case 'closeSource':
        if (source.up && source.setStable() === undefined) task.touched = true;
        break;
      case 'closeTarget':
        if (target.up && target.setStable() === undefined) task.touched = true;
        break;
      default:
        throw new TypeError(`${action.kind} is no effect`);
    }
  }

  /** One key of a MIGRATE, with what the executor owes to keys in doubt and to BUSYKEY. */
  #migrateNext(task: Task): void {
    const key = this.#batch.shift();
    const source = this.#cluster.node(task.source);
    const target = this.#cluster.node(task.target);
    const canGive = this.#cluster.serves(source) && source.role === 'master';
    const canTake =
      this.#cluster.serves(target) &&
      target.role === 'master' &&
      // CLUSTERDOWN, if it names no owner.
      target.table.has(MOVED_SLOT) &&
      (target.importingFrom !== undefined || target.owns());
    if (key === undefined || !canGive || !canTake) {
      this.#batch = [];
      return;
    }
    const version = source.keys.get(key);
    const there = target.keys.get(key);
    if (version === undefined) {
      // NOKEY. A copy on the target may be the only one there is.
      task.doubts.delete(key);
      return;
    }
    const life = { runId: `${source.id} ${source.life}`, replicationId: source.id };
    const parted = there !== undefined && there !== version;
    if (parted && judgeBusyKey(task.doubts.get(key), life) === 'compare') {
      task.conflict = { key, evidence: [`${source.id}: ${version}`, `${target.id}: ${there}`] };
      this.#batch = [];
      return;
    }
    target.apply({ key, version, by: 'migrate' });
    if (this.answerLost) {
      this.answerLost = false;
      task.doubts.set(key, life);
      this.doubted.add(key);
      this.#batch = [];
      return;
    }
    source.apply({ key, version: undefined, by: 'migrate' });
    task.doubts.delete(key);
  }

  #lookAgain(): void {
    this.#look = undefined;
    this.#due = undefined;
    this.#batch = [];
  }
}

function newTask(cluster: Cluster, source: RedisNode, target: RedisNode): Task {
  const replicasOf = (end: RedisNode) => cluster.replicasOf(end).map(({ id }) => id);
  return {
    source: source.id,
    target: target.id,
    sourceReplicas: replicasOf(source),
    targetReplicas: replicasOf(target),
    touched: false,
    saved: false,
    givenUpAt: undefined,
    conflict: undefined,
    doubts: new Map(),
  };
}

function isPause({ kind }: SlotAction): boolean {
  return kind === 'wait' || kind === 'awaitConvergence' || kind === 'awaitTargetReplicas';
}
