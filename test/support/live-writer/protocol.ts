/** What a live writer is told and what it answers: plain data, on lines of JSON. */

export interface WriterOptions {
  /** `host:port` of nodes to begin with. */
  readonly nodes: readonly string[];
  /** Of all keys. Two writers at once need two. */
  readonly prefix: string;
  /**
   * `acknowledged`: as an application does it, by ioredis' cluster client; a write counts when it is answered.
   * `replicated`: a write counts after `WAIT 1` on the same connection has said 1.
   */
  readonly counts: 'acknowledged' | 'replicated';
  /** Commands a second, of all lanes together. */
  readonly opsPerSecond: number;
  /** After that it stops by itself. */
  readonly maxDurationMs: number;
}

/**
 * What came through to the application after all that the client library does by itself: redirections and
 * their retries are not among them.
 */
export interface WriterError {
  readonly atMs: number;
  /** First word of an error reply, such as `CLUSTERDOWN`; else the error's name. */
  readonly kind: string;
  readonly command: string;
  readonly message: string;
}

/** Something that was acknowledged and is not as it was left. */
export interface Miss {
  readonly atMs: number;
  readonly key: string;
  /** Which sort of write. */
  readonly lane: string;
  readonly expected: string;
  readonly found: string;
}

export interface WriterReport {
  readonly acknowledged: number;
  readonly acknowledgedByLane: Readonly<Record<string, number>>;
  readonly reads: number;
  /** The first thousand. */
  readonly errors: readonly WriterError[];
  readonly errorCount: number;
  /** Reads while writing; the first hundred. */
  readonly misses: readonly Miss[];
}

export interface FinalReport extends WriterReport {
  /** All that was acknowledged and is gone. */
  readonly lost: readonly Miss[];
  /** Keys that could not be read back at all, the cluster being down. */
  readonly unread: number;
}

export type WriterCommand = { readonly id: number; readonly do: 'report' | 'stop' };
