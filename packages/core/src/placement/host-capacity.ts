/**
 * How many nodes fit into a host's memory.
 *
 * A node is reckoned with the same memory whatever its role: a replica applies the same writes and
 * forks for its own AOF rewrites, so that its pages are copied just as its master's. Therefore
 * nothing grows on the other hosts when a failure domain is lost and replicas are promoted, and a
 * layout that fits before the loss of any domain fits after it. Full resynchronisations that follow
 * fork once more on the new master, which the copy-on-write share covers as well.
 */
import type { Host } from '../model/host.ts';

/** Beyond maxmemory: allocator fragmentation, and client and replica buffers that do not count. */
const OVERHEAD_FACTOR = 1.2;

/**
 * Share of maxmemory that is copied while a fork writes an RDB file or rewrites the AOF. A write
 * load that touches more than 30 % of all pages within one rewrite is rare, and forks of the nodes
 * of a host seldom coincide.
 */
const COPY_ON_WRITE_SHARE = 0.3;

/** The replication backlog (1mb by default, often raised) and its buffer blocks. */
const BACKLOG_BYTES = 16 * 1024 ** 2;

/** Code, cluster bus links and tables of an empty `redis-server`. */
const PROCESS_BYTES = 16 * 1024 ** 2;

/** Kernel, agent, page cache for the AOF: a tenth of the host, and 256 MiB at the least. */
const HOST_RESERVE_SHARE = 0.1;
const HOST_RESERVE_MIN_BYTES = 256 * 1024 ** 2;

/** What a host must have free for one node. */
export function nodeMemoryBytes(maxmemoryBytes: number): number {
  const dataBytes = maxmemoryBytes * (OVERHEAD_FACTOR + COPY_ON_WRITE_SHARE);
  return Math.ceil(dataBytes) + BACKLOG_BYTES + PROCESS_BYTES;
}

/** What a host can give to nodes of this cluster; undefined while its memory is not known. */
export function hostBudgetBytes(host: Host): number | undefined {
  if (host.facts === undefined) return undefined;
  const { memoryBytes } = host.facts;
  const reserveBytes = Math.max(memoryBytes * HOST_RESERVE_SHARE, HOST_RESERVE_MIN_BYTES);
  return Math.max(0, Math.floor(memoryBytes - reserveBytes - host.reservedBytes));
}

/** Number of nodes that fit; no limit without maxmemory, 0 while the host's memory is not known. */
export function memoryCapacity(host: Host, maxmemoryBytes: number | undefined): number {
  if (maxmemoryBytes === undefined) return Number.POSITIVE_INFINITY;
  return Math.floor((hostBudgetBytes(host) ?? 0) / nodeMemoryBytes(maxmemoryBytes));
}
