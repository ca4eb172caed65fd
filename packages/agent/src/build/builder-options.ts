/** What a builder is given: where things are, where they come from, and who is told of its work. */
import type { BlobDownload } from './source.ts';

export interface BuilderOptions {
  /** The agent's root: builds are installed in `<root>/releases`. */
  readonly rootDirectory: string;
  /** Shared by the agents of a machine that run as the same user. */
  readonly cacheDirectory: string;
  /** Name of the host, for provenance. */
  readonly hostName: string;
  readonly platform: string;
  /** Whom compilers run as, created when missing; undefined: the agent's own user. */
  readonly buildUser?: string | undefined;
  /** An uploaded source archive, from the controller. */
  readonly fetchSource: (sha256: string, signal?: AbortSignal) => Promise<BlobDownload>;
  /** A packed build, from the controller. */
  readonly fetchBuild: (buildId: string, signal?: AbortSignal) => Promise<BlobDownload>;
  readonly log: (message: string) => void;
  /** The system's own, where apt's sources are; default `/etc`. */
  readonly etcDirectory?: string | undefined;
  /** How long a transfer may be silent, in milliseconds; default 30 000. */
  readonly stallTimeoutMs?: number | undefined;
}

export interface WorkOptions {
  /** Called with each line of progress: the compiler's output, what is fetched. */
  readonly onLine?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}
