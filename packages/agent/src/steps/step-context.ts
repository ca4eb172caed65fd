/** What steps work with: the effects of this host, behind one object. */
import type {
  Attempt,
  Build,
  InstalledBuild,
  MoveProgress,
  MoveReport,
  MoverObservation,
  NodeKey,
  NodeObservation,
} from '@redrover/core';
import type { Builder } from '../build/builder.ts';
import type { FenceStore } from '../fence/fence-store.ts';
import type { MoveDesk } from '../migrate/move-desk.ts';
import type { AgentPaths } from '../nodes/paths.ts';
import type { RunAs } from '../nodes/run-as.ts';
import type { Launcher } from '../supervise/launcher.ts';
import type { NodeRegistry } from '../supervise/node-registry.ts';

/** Lives as long as the agent. */
export interface HostContext {
  /** Name of this host. */
  readonly host: string;
  readonly paths: AgentPaths;
  readonly nodes: NodeRegistry;
  readonly builder: Builder;
  readonly fences: FenceStore;
  readonly launcher: Launcher;
  readonly moves: MoveDesk;
  readonly user: RunAs | undefined;
  readonly now: () => number;
  /** Gives a build to the controller, for the other hosts of the platform. */
  readonly shareBuild: (build: Build, signal: AbortSignal) => Promise<void>;
}

/** Of one step. */
export interface StepRun {
  readonly signal: AbortSignal;
  /** A line for people; may be called at any rate. */
  readonly onLine: (line: string) => void;
  /** Of a `moveSlots`; may be called at any rate. */
  readonly onMove: (progress: MoveProgress) => void;
  /** Whether the controller that sent the command is still there to hear of its end. */
  readonly isAwaited: () => boolean;
  /** Only in a `prepareNode`. */
  readonly password: string | undefined;
}

/** A step's result carries a fresh observation of what it touched. */
export interface StepOutcome {
  readonly nodes: readonly NodeObservation[];
  readonly builds: readonly InstalledBuild[];
  /** For people; empty when there is nothing to say. */
  readonly message: string;
  /** Of a `moveSlots`. */
  readonly move: MoveReport | undefined;
  /** All that are at work on this host; undefined after steps that do not concern them. */
  readonly movers: readonly MoverObservation[] | undefined;
  /** At moving slots for the same operation, whose end nobody has heard of. */
  readonly earlierMoves: readonly Attempt[];
}

/** What a step of one kind returns: the keys of the nodes to observe, and what to say. */
export interface StepEffect {
  readonly touched: readonly NodeKey[];
  readonly message: string;
  readonly move?: MoveReport;
}
