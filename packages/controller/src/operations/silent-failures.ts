/**
 * Tells what failed on a host from what failed because the host could not be heard: the latter
 * says nothing about the step, and must not use up its tries.
 *
 * The journal keeps all of it for people; only the planner is not told.
 */
import { stepKey, type ErrorCode, type History, type Step, type Waiting } from '@redrover/core';

import type { Agents } from '../agents/agents.ts';
import type { Hosts } from '../agents/hosts.ts';
import type { Journal } from './journal.ts';

/** What a step ends with when its host falls silent. */
const SILENT_CODES: ReadonlySet<ErrorCode> = new Set(['unavailable', 'deadline-exceeded']);

/** A step that brings its agent down each time looks like silence, too: it must not go on for ever. */
const MAX_EXCUSED = 20;

export class SilentFailures {
  readonly #agents: Agents;
  readonly #hosts: Hosts;
  readonly #journal: Journal;
  readonly #positions = new Set<number>();
  readonly #counts = new Map<string, number>();

  constructor(seen: { readonly agents: Agents; readonly hosts: Hosts }, journal: Journal) {
    this.#agents = seen.agents;
    this.#hosts = seen.hosts;
    this.#journal = journal;
  }

  /** Whether a command would reach the host now. */
  isHeard(host: string): boolean {
    return this.#agents.isConnected(host) && this.#hosts.find(host)?.status === 'online';
  }

  /** A session that ended is news before the host's silence is: nothing is sent into the void. */
  waitsOf(steps: readonly Step[]): Waiting[] {
    const silent = steps.map(({ host }) => host).filter((host) => !this.isHeard(host));
    return [...new Set(silent)].map((subject) => ({ subject, reason: 'its agent is silent' }));
  }

  /** An attempt has failed just now. `gotOn`: it was seen to do some of its work. */
  note(
    position: number,
    step: Step,
    { code, gotOn }: { readonly code: ErrorCode; readonly gotOn: boolean },
  ): void {
    const key = stepKey(step);
    if (gotOn) this.#counts.delete(key);
    if (!SILENT_CODES.has(code) || this.isHeard(step.host)) return;
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    if (count <= MAX_EXCUSED) this.#positions.add(position);
  }

  /** The journal as the planner is to read it. */
  get history(): History {
    if (this.#positions.size === 0) return this.#journal.history;
    const told = this.#journal.entries.filter(({ position }) => !this.#positions.has(position));
    return told.map(({ attempt }) => attempt);
  }
}
