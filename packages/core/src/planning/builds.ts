/**
 * Which host compiles, and which fetch: one host of each platform compiles, the others fetch that
 * build through the controller, and compile themselves where fetching fails.
 */
import type { HostObservation } from '../model/observation.ts';
import { stepKey, type BuildReleaseStep, type FetchBuildStep } from '../model/step.ts';
import { isExhausted, trailOf, tryStep, type TryOptions } from './attempts.ts';
import { hostOf, isOnline, layoutHosts, seenNode, type Situation } from './situation.ts';
import { WITHOUT_PROCESS } from './timing.ts';
import { IDLE, mergeTurns, waiting, type Turn } from './turn.ts';

/** After this many failures in a row the host compiles for itself instead. */
const FETCH_TRIES = 2;
/** How often a finished build may fail to reach the controller before others stop waiting. */
const SHARE_TRIES = 2;

export function planBuilds(situation: Situation): Turn {
  const turns: Turn[] = [];
  const byPlatform = new Map<string, HostObservation[]>();
  for (const name of layoutHosts(situation.layout)) {
    const host = hostOf(situation, name);
    if (host === undefined || !isOnline(situation, name)) continue;
    if (host.facts === undefined) {
      if (needsBuild(situation, host)) turns.push(waiting(name, 'facts of the host not reported'));
      continue;
    }
    const { platform } = host.facts;
    byPlatform.set(platform, [...(byPlatform.get(platform) ?? []), host]);
  }
  for (const [platform, hosts] of byPlatform) turns.push(planPlatform(situation, platform, hosts));
  return mergeTurns(turns);
}

/** Whether the host has a verified build of the layout's release. */
export function hasBuild(situation: Situation, name: string): boolean {
  const builds = hostOf(situation, name)?.builds ?? [];
  return builds.some((build) => build.release === situation.release.name);
}

/** Only hosts that still have a node to prepare or to start need the binaries. */
function needsBuild(situation: Situation, host: HostObservation): boolean {
  if (hasBuild(situation, host.name)) return false;
  const nodes = situation.layout.nodes.filter((node) => node.host === host.name);
  return nodes.some((node) => {
    const state = seenNode(situation, node.key)?.process.state;
    return state !== undefined && WITHOUT_PROCESS.has(state);
  });
}

function planPlatform(
  situation: Situation,
  platform: string,
  hosts: readonly HostObservation[],
): Turn {
  const needy = hosts.filter((host) => needsBuild(situation, host));
  if (needy.length === 0) return IDLE;
  const shared = situation.observation.sharedBuilds.find(
    (build) => build.platform === platform && build.release === situation.release.name,
  );
  if (shared !== undefined) {
    return mergeTurns(needy.map((host) => fetchOrCompile(situation, host.name, shared.id)));
  }
  const builder = chooseBuilder(situation, hosts);
  if (sharingFailed(situation, builder.name)) {
    return mergeTurns(needy.map((host) => compile(situation, host.name)));
  }
  const others = needy.filter((host) => host.name !== builder.name);
  return mergeTurns([
    compile(situation, builder.name),
    ...others.map((host) => waiting(host.name, `${builder.name} compiles for ${platform}`)),
  ]);
}

/**
 * A host that has the build already only needs to hand it over; else the one with the most cores.
 * The name settles ties, so that each turn chooses the same host.
 */
function chooseBuilder(situation: Situation, hosts: readonly HostObservation[]): HostObservation {
  const ranked = [...hosts].sort(
    (a, b) =>
      Number(hasBuild(situation, b.name)) - Number(hasBuild(situation, a.name)) ||
      (b.facts?.cores ?? 0) - (a.facts?.cores ?? 0) ||
      (a.name < b.name ? -1 : 1),
  );
  return ranked[0] as HostObservation;
}

/** The builder has the build, and handing it to the controller does not work. */
function sharingFailed(situation: Situation, builder: string): boolean {
  if (!hasBuild(situation, builder)) return false;
  const trail = trailOf(situation.attempts, stepKey(buildStep(situation, builder)));
  return isExhausted(trail) || trail.successes >= SHARE_TRIES;
}

function fetchOrCompile(situation: Situation, host: string, buildId: string): Turn {
  const { release } = situation;
  const step: FetchBuildStep = { kind: 'fetchBuild', host, release, buildId };
  const trail = trailOf(situation.attempts, stepKey(step));
  if (trail.failures.length >= FETCH_TRIES || isExhausted(trail)) return compile(situation, host);
  return tryStep(situation.attempts, step, buildOptions(situation, host, 'fetching'));
}

function compile(situation: Situation, host: string): Turn {
  const step = buildStep(situation, host);
  return tryStep(situation.attempts, step, buildOptions(situation, host, 'building'));
}

function buildStep(situation: Situation, host: string): BuildReleaseStep {
  return { kind: 'buildRelease', host, release: situation.release };
}

function buildOptions(situation: Situation, host: string, doing: string): TryOptions {
  return {
    now: situation.now,
    what: `${doing} ${situation.release.name} on ${host}`,
    subject: host,
    remedy: `Repair that on ${host}, then apply again`,
  };
}
