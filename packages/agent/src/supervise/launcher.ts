/**
 * How a server process is started. Whether and when it is started is the supervisor's business.
 *
 * There is one way so far, a detached process, also where systemd runs: there nodes share the agent's
 * cgroup, and its unit (docs/systemd) leaves them running. A transient unit for each is not built.
 */
import type { RunAs } from '../nodes/run-as.ts';

/** `nofile`, soft and hard, of every node. */
export const NODE_NOFILE = 65_535;

export interface LaunchRequest {
  /** Names the node in messages and units, for example `h1:6379`. */
  readonly key: string;
  readonly port: number;
  readonly server: string;
  /** The config file: the only argument, so that nothing secret is in the command line. */
  readonly config: string;
  /** Working directory: the node's own. */
  readonly directory: string;
  /** Takes standard output and error; truncated at each start. */
  readonly stdio: string;
  /** Undefined: as whoever runs the agent. */
  readonly user: RunAs | undefined;
}

/** How a process ended. Only a parent is told; of an adopted process nothing is known. */
export interface ExitReport {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface LaunchedProcess {
  readonly pid: number;
  /** Settles when the process has ended; never, if this launcher cannot know. */
  readonly exited: Promise<ExitReport>;
}

/** The process must outlive the agent, whatever ends the agent. */
export interface Launcher {
  /** @throws RedroverError if the process could not even be created. */
  launch(request: LaunchRequest): Promise<LaunchedProcess>;
}
