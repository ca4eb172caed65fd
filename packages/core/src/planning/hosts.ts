/** Whether the layout's hosts can be reached. A host that is silent is waited for, not for ever. */
import { hostOf, layoutHosts, type Situation } from './situation.ts';
import { blocking, IDLE, mergeTurns, waiting, type Turn } from './turn.ts';

/** Longer than a reboot's first half or an agent's upgrade; a person should look after that. */
const SILENCE_LIMIT_MS = 60_000;

export function planHosts(situation: Situation): Turn {
  return mergeTurns(layoutHosts(situation.layout).map((name) => planHost(situation, name)));
}

function planHost(situation: Situation, name: string): Turn {
  const host = hostOf(situation, name);
  if (host?.status === 'online') return IDLE;
  const seconds = Math.floor((situation.now - (host?.lastSeenMs ?? 0)) / 1000);
  if (host !== undefined && seconds * 1000 < SILENCE_LIMIT_MS) {
    return waiting(name, `host ${host.status}, last heard of ${Math.max(0, seconds)} s ago`);
  }
  const nodes = situation.layout.nodes.filter((node) => node.host === name);
  return blocking({
    rule: 'host-unreachable',
    subject: name,
    message:
      host === undefined
        ? `Host ${name} is not known to the controller.`
        : `Host ${name} has not been heard of for ${seconds} s.`,
    evidence: nodes.map((node) => `node ${node.key}`),
    remedy:
      `Bring the agent of ${name} back (redrover host show ${name}), then try again; ` +
      `if it is gone for good, ${wayOn(situation, name)}`,
  });
}

function wayOn({ kind }: Situation, name: string): string {
  if (kind === 'change') return `replace it: redrover host replace ${name} --with NEW`;
  return `forget it: redrover host rm ${name}`;
}
