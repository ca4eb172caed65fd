/** Hosts: machines with one agent each, what they are made of and how alive they look. */

/** `lost` only after `suspect`; the bounds are the controller's configuration. */
export type HostStatus = 'online' | 'suspect' | 'lost';

export interface HostFacts {
  readonly hostname: string;
  readonly cores: number;
  readonly memoryBytes: number;
  /** Of the file system that holds the agent's root. */
  readonly diskTotalBytes: number;
  readonly diskFreeBytes: number;
  readonly kernel: string;
  /** `ID` and `VERSION_ID` of os-release, for example `debian 12`. */
  readonly os: string;
  /** As `uname -m` prints it. */
  readonly arch: string;
  /** For example `glibc 2.36`. */
  readonly libc: string;
  /** First line of `cc --version`; empty without a compiler. */
  readonly compiler: string;
  /** Every address of the host's interfaces, loopback ones included. */
  readonly addresses: readonly string[];
  /** Hosts with the same platform can run each other's builds, for example `linux-x86_64-glibc2.36-debian12`. */
  readonly platform: string;
  /** Whether the agent runs as root: tuning, packages and user switches need it. */
  readonly root: boolean;
  readonly agentVersion: string;
  /** The agent's own directory, under which nodes and builds live. */
  readonly rootDirectory: string;
}

/** A host as the planner sees it. */
export interface Host {
  readonly name: string;
  /** Where nodes bind and other hosts reach them: an IPv4 or IPv6 address. */
  readonly address: string;
  /** Failure domains and other labels, such as `zone`. */
  readonly labels: Readonly<Record<string, string>>;
  readonly status: HostStatus;
  readonly facts: HostFacts | undefined;
  /** Ports that something other than this cluster's layout already uses on the host. */
  readonly usedPorts: readonly number[];
  /** Memory promised to nodes of other clusters on this host. */
  readonly reservedBytes: number;
}

/** One item of `host check` / `host tune`. */
export interface TuningItem {
  /** For example `net.core.somaxconn`, `transparent_hugepage`, `nofile`. */
  readonly name: string;
  readonly found: string;
  readonly wanted: string;
  /** The file or interface that was read, and the own file that keeps the value, where there is one. */
  readonly source: string;
  /**
   * `ok`: in force and persisted. `differs`: to be tuned. `not-persisted`: in force, but gone after a reboot.
   * `needs-root` and `read-only`: cannot be changed by this agent. `advice`: a warning that Redrover does not change.
   */
  readonly state: 'ok' | 'differs' | 'not-persisted' | 'needs-root' | 'read-only' | 'advice';
  /** The value before tuning; only in the answer to `host tune`. */
  readonly before: string | undefined;
  /** What to do about it, where there is something to do; empty otherwise. */
  readonly hint: string;
}
