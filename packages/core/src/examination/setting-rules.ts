/** Settings and resources of each node: timing, persistence, limits, memory, versions. */
import type { Finding } from '../model/finding.ts';
import { wantedTiming } from '../planning/timing.ts';
import { listSome, type Picture } from './picture.ts';

/** The soft limit that each node is started with; below it a busy node refuses clients. */
const NOFILE_WANTED = 65_535;
/** Beyond this share, a burst of writes evicts keys or is refused. */
const MEMORY_NEAR_LIMIT = 0.9;

/** Timing that a creation lowered and that was never put back. */
export function findTimingLeft({ layout, speakers }: Picture): Finding[] {
  const wanted = wantedTiming(layout);
  return speakers.flatMap(({ node, redis }) => {
    const lines: string[] = [];
    if (redis.nodeTimeoutMs !== wanted.nodeTimeoutMs) {
      lines.push(`cluster-node-timeout ${redis.nodeTimeoutMs}, wanted ${wanted.nodeTimeoutMs}`);
    }
    if (redis.replicaNoFailover !== wanted.replicaNoFailover) {
      lines.push(`cluster-replica-no-failover ${redis.replicaNoFailover ? 'yes' : 'no'}`);
    }
    if (lines.length === 0) return [];
    return [
      {
        rule: 'timing-not-as-layout',
        severity: 'warning' as const,
        subject: node.key,
        message: `Node ${node.key} has other timing in force than the layout wants.`,
        evidence: lines,
        // Applying a cluster that is complete changes nothing.
        remedy:
          `A creation that was left behind is put back by the agent within a minute; else ` +
          `CONFIG SET both options on ${node.key}, or restart it`,
      },
    ];
  });
}

export function findPersistenceFailing({ speakers }: Picture): Finding[] {
  return speakers
    .filter(({ redis }) => !redis.persistenceOk)
    .map(({ node }) => ({
      rule: 'persistence-failing',
      severity: 'critical' as const,
      subject: node.key,
      message: `Node ${node.key} cannot write its AOF or RDB file, and refuses writes.`,
      evidence: ['aof_last_write_status or rdb_last_bgsave_status is not ok'],
      remedy: `Look at disk space and redis.log on ${node.host}: redrover host show ${node.host}`,
    }));
}

/** Without an AOF a master that restarts brings an old dataset, which its replicas copy. */
export function findAofOff({ layout, speakers }: Picture): Finding[] {
  if (layout.config['appendonly'] === 'no') return [];
  return speakers
    .filter(({ redis }) => !redis.aofEnabled)
    .map(({ node }) => ({
      rule: 'aof-disabled',
      severity: 'warning' as const,
      subject: node.key,
      message: `Node ${node.key} has its AOF switched off, although the layout wants it.`,
      evidence: ['aof_enabled:0'],
      remedy: `CONFIG SET appendonly yes on ${node.key}, and find out who switched it off.`,
    }));
}

export function findLowFileLimit({ speakers }: Picture): Finding[] {
  return speakers.flatMap(({ node, redis }) => {
    // 0: the limit could not be read, which says nothing about it.
    if (redis.nofileSoft === 0 || redis.nofileSoft >= NOFILE_WANTED) return [];
    return [
      {
        rule: 'nofile-low',
        severity: 'warning' as const,
        subject: node.key,
        message: `Node ${node.key} may open ${redis.nofileSoft} files only.`,
        evidence: [`soft nofile limit ${redis.nofileSoft}, wanted ${NOFILE_WANTED}`],
        remedy: `redrover host tune ${node.host}, then restart the node`,
      },
    ];
  });
}

export function findMemoryNearLimit({ speakers }: Picture): Finding[] {
  return speakers.flatMap(({ node, redis }) => {
    const { usedMemoryBytes: used, maxmemoryBytes: limit } = redis;
    if (limit === 0 || used < limit * MEMORY_NEAR_LIMIT) return [];
    return [
      {
        rule: 'memory-near-limit',
        severity: 'warning' as const,
        subject: node.key,
        message: `Node ${node.key} uses ${Math.round((used / limit) * 100)} % of its maxmemory.`,
        evidence: [`used_memory ${used} bytes`, `maxmemory ${limit} bytes`],
        remedy: 'Plan more shards or more memory before keys are evicted or writes refused.',
      },
    ];
  });
}

/** A release's name ends with its version: `redis-7.0.15`. */
export function findOtherVersions({ layout, speakers }: Picture): Finding[] {
  const wanted = layout.release.replace(/^[a-z]+-/, '');
  const byVersion = new Map<string, string[]>();
  for (const { node, redis } of speakers) {
    byVersion.set(redis.version, [...(byVersion.get(redis.version) ?? []), node.key]);
  }
  const others = [...byVersion].filter(([version]) => version !== wanted);
  if (others.length === 0) return [];
  return [
    {
      rule: 'version-not-as-layout',
      severity: 'warning',
      subject: layout.cluster,
      message: `Not all nodes run ${layout.release}.`,
      evidence: others.map(([version, keys]) => `${version || 'unknown'}: ${listSome(keys)}`),
      remedy: 'Find out who started these nodes; restart them with the release of the layout.',
    },
  ];
}
