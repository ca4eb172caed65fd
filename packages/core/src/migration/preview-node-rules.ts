/** What a preview warns of that is a matter of the nodes, not of what is moved. */
import type { Finding } from '../model/finding.ts';
import type { NodeKey } from '../model/layout.ts';
import { compareVersions } from '../model/release.ts';
import type { PreviewNode, PreviewPair, PreviewPicture, PreviewRule } from './move-preview.ts';

/** Nothing is moved while a master is out of reach; a replica that is, holds the moves up. */
function findUnreachable({ input }: PreviewPicture): Finding[] {
  const ends = endsOf(input.pairs);
  return Object.values(input.nodes)
    .filter(({ exists, answers }) => exists && !answers)
    .map(({ key }) => {
      const isEnd = ends.has(key);
      return {
        rule: 'move-node-unreachable',
        severity: isEnd ? ('critical' as const) : ('warning' as const),
        subject: key,
        message: isEnd
          ? `Node ${key} gives or takes slots, and does not answer.`
          : `Node ${key}, a replica in the move, does not answer: slots wait for it.`,
        evidence: [],
        remedy: `Bring ${key} back, or replace it, and plan again.`,
      };
    });
}

function findLoading({ input }: PreviewPicture): Finding[] {
  const ends = endsOf(input.pairs);
  return Object.values(input.nodes)
    .filter(({ key, loading }) => loading && ends.has(key))
    .map(({ key }) => ({
      rule: 'move-node-loading',
      severity: 'critical' as const,
      subject: key,
      message: `Node ${key} is loading its dataset: what it holds cannot be counted yet.`,
      evidence: [],
      remedy: 'Wait until it has loaded, then plan again.',
    }));
}

/** A slot that is open already is moved key by key; the atomic engines refuse to begin beside it. */
function findOpen({ input }: PreviewPicture): Finding[] {
  return Object.values(input.nodes)
    .filter(({ openSlots }) => openSlots > 0)
    .map(({ key, openSlots }) => ({
      rule: 'open-slots-in-move',
      severity: 'warning' as const,
      subject: key,
      message:
        `Node ${key} has ${openSlots} slots open for migration already. They are settled first, ` +
        'once nobody has touched them for a minute.',
      evidence: [],
      remedy: 'If somebody is resharding with another tool, let that end before this begins.',
    }));
}

/** RESTORE rejects an RDB version newer than its own. */
function findOlderTargets({ input }: PreviewPicture): Finding[] {
  return input.pairs.flatMap(({ source, target }) => {
    const from = input.nodes[source];
    const to = input.nodes[target];
    if (from === undefined || to === undefined) return [];
    if (from.version === '' || to.version === '') return [];
    if (from.product === to.product && compareVersions(series(to), series(from)) >= 0) return [];
    return [
      {
        rule: 'target-older',
        severity: 'critical' as const,
        subject: target,
        message:
          `Keys go from ${source} to ${target} only if the target's release is the same or newer; ` +
          'it would refuse the others.',
        evidence: [nameVersion(from), nameVersion(to)],
        remedy: `Bring ${target} to the release of ${source} first.`,
      },
    ];
  });
}

/** Patch releases share their formats. */
function series({ version }: PreviewNode): string {
  return `${version.split('.').slice(0, 2).join('.')}.0`;
}

function nameVersion({ key, product, version }: PreviewNode): string {
  return `${key} runs ${product} ${version}`;
}

/** Neither functions nor scripts go with a slot. */
function findFunctions({ input }: PreviewPicture): Finding[] {
  return input.pairs.flatMap(({ source, target }) => {
    const evidence = input.surveys.find(({ node }) => node === source)?.functionLibraries ?? [];
    if (evidence.length === 0 || input.nodes[target]?.exists !== false) return [];
    return [
      {
        rule: 'functions-copied',
        severity: 'info' as const,
        subject: target,
        message:
          `Node ${target} gets the function libraries of ${source}: they are copied to it before ` +
          'its first slot.',
        evidence,
        remedy: '',
      },
    ];
  });
}

function endsOf(pairs: readonly PreviewPair[]): Set<NodeKey> {
  return new Set(pairs.flatMap(({ source, target }) => [source, target]));
}

export const NODE_RULES: readonly PreviewRule[] = [
  findUnreachable,
  findLoading,
  findOpen,
  findOlderTargets,
  findFunctions,
];
