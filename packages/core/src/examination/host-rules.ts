/** Hosts: whether they can be reached, and whether what they said is still true. */
import { isCutOff } from '../model/cut-off.ts';
import type { Finding } from '../model/finding.ts';
import { limitLines, type Picture } from './picture.ts';

/** Heartbeats come each second; ten that are missing are no hiccup. */
const STALE_AFTER_MS = 10_000;

export function findUnreachableHosts({ layout, observation, now }: Picture): Finding[] {
  const names = [...new Set(layout.nodes.map((node) => node.host))];
  return names.flatMap((name) => {
    const host = observation.hosts[name];
    if (host?.status === 'online' || layout.drainedHosts.includes(name)) return [];
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
        remedy:
          `Bring the host or its agent back: redrover host show ${name}` +
          (host?.status === 'suspect'
            ? ''
            : `. If it is gone for good: redrover host replace ${name} --with <other host>`),
      },
    ];
  });
}

/** Wanted, and easily forgotten. What its nodes lack is no finding of their own meanwhile. */
export function findDrainedHosts({ layout, observation }: Picture): Finding[] {
  return layout.drainedHosts.map((name) => ({
    rule: 'host-drained',
    severity: 'info',
    subject: name,
    message: `Host ${name} is drained: its nodes are stopped, and others act for its masters.`,
    evidence: [
      `its agent is ${observation.hosts[name]?.status ?? 'not enrolled'}`,
      ...layout.nodes
        .filter((node) => node.host === name)
        .map(
          ({ key }) => `node ${key}: ${observation.nodes[key]?.process.state ?? 'not reported'}`,
        ),
    ],
    remedy: `When the maintenance is over: redrover host undrain ${name}`,
  }));
}

/** Nodes bind to an address and announce it: under another one nobody finds them. */
export function findReaddressedHosts({ layout, hosts }: Picture): Finding[] {
  return hosts.flatMap(({ name, address }) => {
    const elsewhere = layout.nodes.filter((node) => node.host === name && node.address !== address);
    if (elsewhere.length === 0) return [];
    return [
      {
        rule: 'host-readdressed',
        severity: 'critical' as const,
        subject: name,
        message: `Host ${name} has the address ${address}, its nodes in the layout another one.`,
        evidence: elsewhere.map((node) => `node ${node.key} is laid out at ${node.address}`),
        remedy: `Give them the new address: redrover host readdress ${name}`,
      },
    ];
  });
}

/** When most hosts are silent at once, the network of the controller is the likelier cause. */
export function findOwnIsolation({ layout, hosts }: Picture): Finding[] {
  if (!isCutOff(hosts)) return [];
  const silent = hosts.filter(({ status }) => status !== 'online');
  return [
    {
      rule: 'controller-cut-off',
      severity: 'critical',
      subject: layout.cluster,
      message:
        `${silent.length} of ${hosts.length} hosts are silent at once: it is rather the ` +
        'controller that is cut off. Repairs are frozen until most agents are back.',
      evidence: limitLines(silent.map(({ name, status }) => `${name} is ${status}`)),
      remedy:
        'See whether the controller reaches these hosts and they reach it; what is said of their ' +
        'nodes below may not be true. Nothing needs to be released afterwards.',
    },
  ];
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

/**
 * A host whose clock is ahead: its agent takes whatever it is told for expired. One that is behind
 * shows as old knowledge, which says the same.
 */
export function findClocksAhead({ speakers, now }: Picture): Finding[] {
  const ahead = new Map<string, number>();
  for (const { node, seen } of speakers) {
    const aheadMs = seen.observedAtMs - now;
    if (aheadMs > STALE_AFTER_MS) ahead.set(node.host, aheadMs);
  }
  return [...ahead].map(([host, aheadMs]) => ({
    rule: 'clock-ahead',
    severity: 'warning',
    subject: host,
    message:
      `The clock of ${host} is ${Math.round(aheadMs / 1000)} s ahead of the controller's: its ` +
      'agent takes commands for expired and refuses them.',
    evidence: [`${aheadMs} ms ahead`],
    remedy: `Compare the clocks of ${host} and the controller, and look at their time sync.`,
  }));
}
