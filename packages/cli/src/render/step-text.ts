/** Steps in words. Whoever needs the exact step finds it in the JSON output. */
import { countSlots, stepKey } from '@redrover/core';
import type { Layout, Step, StepKind } from '@redrover/core';

import { formatCount } from '../output/units.ts';

interface StepWords {
  /** With the thing it acts on: `build redis-7.0.15 on h1`. */
  readonly one: (subject: string) => string;
  /** The same for several things at once. */
  readonly many: (count: number) => string;
}

const nodes = (count: number): string => formatCount(count, 'node');
const hosts = (count: number): string => formatCount(count, 'host');

const WORDS: Readonly<Record<StepKind, StepWords>> = {
  buildRelease: {
    one: (subject) => `build ${onHost(subject)}`,
    many: (count) => `build on ${hosts(count)}`,
  },
  fetchBuild: {
    one: (subject) => `fetch the build of ${onHost(subject)}`,
    many: (count) => `fetch the build on ${hosts(count)}`,
  },
  prepareNode: {
    one: (subject) => `prepare ${subject}`,
    many: (count) => `prepare ${nodes(count)}: directory, config, trial start`,
  },
  startNode: { one: (subject) => `start ${subject}`, many: (count) => `start ${nodes(count)}` },
  probeMesh: {
    one: (subject) => `probe data and bus ports from ${subject}`,
    many: (count) => `probe data and bus ports between ${hosts(count)}`,
  },
  setTiming: {
    one: (subject) => `set the node timeout of ${subject.split(' ')[0]}`,
    many: (count) => `set the node timeout of ${nodes(count)}`,
  },
  claimSlots: {
    one: (subject) => `give ${subject} its epoch and slots`,
    many: (count) => `give ${nodes(count)} their epochs and slots`,
  },
  meetNodes: {
    one: (subject) => `introduce ${subject} to the others`,
    many: (count) => `introduce ${nodes(count)} to each other`,
  },
  attachReplica: {
    one: (subject) => `attach replica ${subject}`,
    many: (count) => `attach ${formatCount(count, 'replica')}`,
  },
  handoffMaster: {
    one: (subject) => `make ${subject} the master of its shard`,
    many: (count) => `hand off ${formatCount(count, 'master')}`,
  },
  forgetNodes: {
    one: (subject) => `make ${subject.split(' ')[0]} forget nodes that are gone`,
    many: (count) => `make ${nodes(count)} forget nodes that are gone`,
  },
  moveSlots: {
    one: (subject) =>
      `move slots from ${subject.split(' ').slice(0, 3).join(' ').replace('>', 'to')}`,
    many: (count) => `move slots between ${formatCount(count, 'pair')} of masters`,
  },
  stopMoves: {
    one: (subject) => `stop moving slots on ${subject}`,
    many: (count) => `stop moving slots on ${hosts(count)}`,
  },
  verifyWrite: {
    one: (subject) => `verify a write on ${subject}`,
    many: (count) => `verify a write on ${formatCount(count, 'master')}`,
  },
  stopNode: { one: (subject) => `stop ${subject}`, many: (count) => `stop ${nodes(count)}` },
  removeNode: {
    one: (subject) => `remove the directory of ${subject}`,
    many: (count) => `move the directories of ${nodes(count)} to the trash folder`,
  },
};

/** `prepare h1:6379` for the key `prepareNode h1:6379`. */
export function describeStepKey(key: string): string {
  const [kind = '', ...subject] = key.split(' ');
  // A newer controller may know steps that this redrover does not.
  return isStepKind(kind) ? WORDS[kind].one(subject.join(' ')) : key;
}

// As many names as a line takes; the exact steps are in the JSON output.
const MAX_NAMED = 4;

/** One line for each kind of step of a round: `start 2 nodes (h2:6379, h2:6380)`. */
export function describeSteps(steps: readonly Step[], layout: Layout): string[] {
  const byKind = Map.groupBy(steps, ({ kind }) => kind);
  return [...byKind].flatMap(([kind, ofKind]) => {
    // Each of them is felt by the clients of a shard, so each of them is told.
    if (kind === 'handoffMaster') return ofKind.map((step) => describeStep(step, layout));
    const [first] = ofKind;
    if (first !== undefined && ofKind.length === 1) return [describeStep(first, layout)];
    const told = describeMany(kind, ofKind);
    const names = ofKind.map(nameOf);
    return [names.length > MAX_NAMED ? told : `${told} (${names.join(', ')})`];
  });
}

function describeMany(kind: StepKind, steps: readonly Step[]): string {
  const isPurge = steps.some((step) => step.kind === 'removeNode' && step.purge);
  return isPurge
    ? `delete the directories of ${nodes(steps.length)}`
    : WORDS[kind].many(steps.length);
}

/** With what the journal's key leaves out: whom a replica follows, whose place a master takes. */
function describeStep(step: Step, layout: Layout): string {
  switch (step.kind) {
    case 'handoffMaster': {
      const shard = layout.nodes.find(({ key }) => key === step.node)?.shard ?? 'its shard';
      return `make ${step.node} the master of ${shard} in place of ${step.master}`;
    }
    case 'attachReplica':
      return `attach replica ${step.node} to ${step.master}`;
    case 'moveSlots':
      return (
        `move ${formatCount(countSlots(step.slots), 'slot')} from ${step.source.node} ` +
        `to ${step.target.node}`
      );
    case 'forgetNodes':
      return `make ${step.node} forget ${formatCount(step.nodeIds.length, 'node')} that ${
        step.nodeIds.length === 1 ? 'is' : 'are'
      } gone`;
    case 'removeNode':
      return step.purge
        ? `delete the directory of ${step.node}`
        : `move the directory of ${step.node} to the trash folder`;
    default:
      return describeStepKey(stepKey(step));
  }
}

function nameOf(step: Step): string {
  if (step.kind === 'moveSlots') return `${step.source.node} to ${step.target.node}`;
  if (step.kind === 'prepareNode') return step.plan.node.key;
  return 'node' in step ? step.node : step.host;
}

function isStepKind(text: string): text is StepKind {
  return Object.hasOwn(WORDS, text);
}

/** `h1 redis-7.0.15` reads `redis-7.0.15 on h1`. */
function onHost(subject: string): string {
  const [host = '', ...release] = subject.split(' ');
  return `${release.join(' ')} on ${host}`;
}
