/** Steps in words. Whoever needs the exact step finds it in the JSON output. */
import type { StepKind } from '@redrover/core';

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
  verifyWrite: {
    one: (subject) => `verify a write on ${subject}`,
    many: (count) => `verify a write on ${formatCount(count, 'master')}`,
  },
  stopNode: { one: (subject) => `stop ${subject}`, many: (count) => `stop ${nodes(count)}` },
  removeNode: {
    one: (subject) => `remove ${subject}`,
    many: (count) => `remove the directories of ${nodes(count)}`,
  },
};

/** `prepare h1:6379` for the key `prepareNode h1:6379`. */
export function describeStepKey(key: string): string {
  const [kind = '', ...subject] = key.split(' ');
  // A newer controller may know steps that this redrover does not.
  return isStepKind(kind) ? WORDS[kind].one(subject.join(' ')) : key;
}

/** One line for each kind of step among the keys: `prepare 6 nodes`. */
export function describeRound(keys: readonly string[]): string[] {
  const byKind = Map.groupBy(keys, (key) => key.split(' ')[0] ?? '');
  return [...byKind].map(([kind, ofKind]) =>
    isStepKind(kind) && ofKind.length > 1
      ? WORDS[kind].many(ofKind.length)
      : ofKind.map(describeStepKey).join(', '),
  );
}

function isStepKind(text: string): text is StepKind {
  return Object.hasOwn(WORDS, text);
}

/** `h1 redis-7.0.15` reads `redis-7.0.15 on h1`. */
function onHost(subject: string): string {
  const [host = '', ...release] = subject.split(' ');
  return `${release.join(' ')} on ${host}`;
}
