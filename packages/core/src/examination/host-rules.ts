/** Hosts: whether they can be reached, and whether what they said is still true. */
import type { Finding } from '../model/finding.ts';
import type { Picture } from './picture.ts';

/** Heartbeats come each second; ten that are missing are no hiccup. */
const STALE_AFTER_MS = 10_000;

export function findUnreachableHosts({ layout, observation, now }: Picture): Finding[] {
  const names = [...new Set(layout.nodes.map((node) => node.host))];
  return names.flatMap((name) => {
    const host = observation.hosts[name];
    if (host?.status === 'online') return [];
    const carried = layout.nodes.filter((node) => node.host === name).map((node) => node.key);
    const seconds = host === undefined ? undefined : Math.round((now - host.lastSeenMs) / 1000);
    return [
      {
        rule: host === undefined ? 'host-unknown' : `host-${host.status}`,
        severity: host?.status === 'suspect' ? ('warning' as const) : ('critical' as const),
        subject: name,
        message:
          seconds === undefined
            ? `Host ${name} carries nodes of the cluster, and no agent of that name is enrolled.`
            : `Host ${name} has not been heard of for ${seconds} s; what its nodes do is unknown.`,
        evidence: carried.map((key) => `node ${key}`),
        remedy: `Bring the host or its agent back: redrover host show ${name}`,
      },
    ];
  });
}

/** An agent that is connected but does not look at its nodes any more. */
export function findStaleNodes({ speakers, now }: Picture): Finding[] {
  return speakers.flatMap(({ node, seen }) => {
    const ageMs = now - seen.observedAtMs;
    if (ageMs <= STALE_AFTER_MS) return [];
    return [
      {
        rule: 'node-stale',
        severity: 'warning' as const,
        subject: node.key,
        message: `What is known of ${node.key} is ${Math.round(ageMs / 1000)} s old.`,
        evidence: [`${ageMs} ms by the clock of ${node.host}`],
        remedy: `Look at the agent and the clock of the host: redrover host show ${node.host}`,
      },
    ];
  });
}
