/** Replication: every shard has its replicas, and these are in sync with its master. */
import type { Finding } from '../model/finding.ts';
import { nameOfId, shallBeStopped, type Picture, type Speaker } from './picture.ts';
import { actualShards, idleMaster, servesSlots } from './roles.ts';

/**
 * Samples of master and replica are up to a second apart; what a busy master writes in that time
 * must not look like lag.
 */
const LAG_LIMIT_BYTES = 64 * 1024 * 1024;
/** Masters ping their replicas every 10 s by default (`repl-ping-replica-period`). */
const SILENT_LINK_SECONDS = 15;

export function findTooFewReplicas(picture: Picture): Finding[] {
  return actualShards(picture).flatMap(({ shard, masters, replicas }) => {
    const members = picture.layout.nodes.filter(
      (node) => node.shard === shard.id && !shallBeStopped(picture, node),
    );
    const wanted = members.length - 1;
    if (masters.length === 0 || replicas.length >= wanted) return [];
    const attached = new Set([...masters, ...replicas].map((speaker) => speaker.node.key));
    return [
      {
        rule: 'too-few-replicas',
        severity: replicas.length === 0 ? ('critical' as const) : ('warning' as const),
        subject: shard.id,
        message: `Shard ${shard.id} has ${replicas.length} of ${wanted} replicas.`,
        evidence: members
          .filter((node) => !attached.has(node.key))
          .map((node) => `not attached: ${node.key}`),
        remedy:
          `Bring these nodes back: redrover cluster repair ${picture.layout.cluster}; until then ` +
          'losing the master may lose data.',
      },
    ];
  });
}

export function findReplicationTrouble(picture: Picture): Finding[] {
  const replicas = picture.speakers.filter(({ redis }) => redis.role === 'replica');
  return replicas.flatMap((replica) => [
    ...findLinkDown(picture, replica),
    ...findLag(picture, replica),
    ...findWrongMaster(picture, replica),
  ]);
}

/** A master without slots, in a cluster whose slots are all owned, serves nobody. */
export function findIdleMasters(picture: Picture): Finding[] {
  const { speakers, layout } = picture;
  // A shard that has no slots yet, or none any more, has a master all the same.
  const idle = new Set(
    actualShards(picture).flatMap(({ shard, isEmpty }) =>
      isEmpty ? (idleMaster(picture, shard) ?? []) : [],
    ),
  );
  return speakers
    .filter((speaker) => speaker.redis.role === 'master' && !servesSlots(speaker))
    .filter((speaker) => !idle.has(speaker) && picture.underWay === undefined)
    .map(({ node, redis }) => ({
      rule: 'master-without-slots',
      severity: 'warning' as const,
      subject: node.key,
      message: `Node ${node.key} is a master without slots; the layout has it in ${node.shard}.`,
      evidence: [`${redis.keys} keys`, `knows ${redis.knownNodes} nodes`],
      remedy:
        `Let it follow the master of its shard: redrover cluster repair ${layout.cluster}; ` +
        'or if the creation was not finished, apply the spec again.',
    }));
}

export function findLoading({ speakers }: Picture): Finding[] {
  return speakers
    .filter(({ redis }) => redis.loading)
    .map(({ node }) => ({
      rule: 'node-loading',
      severity: 'warning' as const,
      subject: node.key,
      message: `Node ${node.key} is loading its data and does not serve yet.`,
      evidence: [],
      remedy: 'Wait until it has loaded.',
    }));
}

function findLinkDown(picture: Picture, { node, redis, self }: Speaker): Finding[] {
  const master = nameOfId(picture, self?.masterId ?? '');
  if (redis.syncInProgress) {
    return [
      {
        rule: 'replica-syncing',
        severity: 'warning',
        subject: node.key,
        message: `Replica ${node.key} is copying the data of ${master}.`,
        evidence: [`replication offset ${redis.replicationOffset}`],
        remedy: 'Wait until it is in sync; until then it cannot take over.',
      },
    ];
  }
  if (redis.masterLinkUp === true) return [];
  return [
    {
      rule: 'replica-link-down',
      severity: 'critical',
      subject: node.key,
      message: `Replica ${node.key} has no link to its master ${master}.`,
      evidence: [`last heard of it ${redis.masterLastIoSeconds ?? -1} s ago`],
      remedy: `See whether ${master} runs, and what redis.log of ${node.key} says of MASTER.`,
    },
  ];
}

function findLag(picture: Picture, { node, redis, self }: Speaker): Finding[] {
  const master = picture.byId.get(self?.masterId ?? '');
  if (master === undefined || redis.masterLinkUp !== true || redis.syncInProgress) return [];
  const lagBytes = master.redis.replicationOffset - redis.replicationOffset;
  const silentSeconds = redis.masterLastIoSeconds ?? 0;
  if (lagBytes <= LAG_LIMIT_BYTES && silentSeconds <= SILENT_LINK_SECONDS) return [];
  return [
    {
      rule: 'replica-lagging',
      severity: 'warning',
      subject: node.key,
      message: `Replica ${node.key} lags behind ${master.node.key}: a failover would lose writes.`,
      evidence: [`${lagBytes} bytes behind`, `last heard of its master ${silentSeconds} s ago`],
      remedy: 'Look at network and CPU of both hosts, and at the replica output buffer limit.',
    },
  ];
}

function findWrongMaster(picture: Picture, { node, self }: Speaker): Finding[] {
  const master = picture.byId.get(self?.masterId ?? '');
  if (master === undefined || master.node.shard === node.shard) return [];
  return [
    {
      rule: 'replica-of-another-shard',
      severity: 'warning',
      subject: node.key,
      message: `Replica ${node.key} of shard ${node.shard} follows ${master.node.key}.`,
      evidence: [`${master.node.key} belongs to shard ${master.node.shard}`],
      remedy:
        'Find out who attached it there; its own shard lacks a replica meanwhile. Bring it home: ' +
        `redrover cluster repair ${picture.layout.cluster}`,
    },
  ];
}
