/** One loss in words: what would go, what Redis would do by itself, and how it would stand then. */
import type { View } from '../output/output.ts';
import { formatCount } from '../output/units.ts';
import { wrapText } from '../output/wrap.ts';
import { compareText } from './plan-view.ts';
import { describeMemory, describeSlots } from './what-if-view.ts';
import type { OutcomeView } from './what-if-view.ts';

const TITLE_WIDTH = 10;

export interface Account {
  readonly cluster: string;
  readonly outcome: OutcomeView;
}

export function renderAccount({ cluster, outcome }: Account, view: View): string {
  const { style } = view;
  const lost = nameOf(outcome);
  const sections: [string, string][] = [
    ['Masters', describeMasters(outcome)],
    ['Slots', describeLoss(outcome, view)],
    ['Majority', describeMajority(outcome, view)],
    ['Failover', describeFailovers(outcome)],
    ['Replicas', describeReplicasLeft(outcome)],
  ];
  if (outcome.busiestHost !== null && outcome.quorumKept) {
    const told = describeMemory(outcome.busiestHost);
    sections.push(['Memory', `The fullest host then may be ${told}, with what is stored now.`]);
  }
  if (outcome.worstHostAfter !== null && outcome.quorumKept)
    sections.push(['And then?', describeNext(outcome, view)]);
  const verdict = outcome.survived
    ? style.good(`${cluster} survives the loss of ${lost}.`)
    : style.bad(`${cluster} does not survive the loss of ${lost}.`);
  return [
    `${style.strong(cluster)}: if ${lost} died now, by the roles that the nodes have now`,
    '',
    ...sections.map(([title, text]) => {
      const line = `${style.faint(title.padEnd(TITLE_WIDTH))} ${text}`;
      return wrapText(line, { width: view.width, indent: TITLE_WIDTH + 1 });
    }),
    '',
    verdict,
  ].join('\n');
}

function nameOf({ kind, domain }: OutcomeView): string {
  return `${kind} ${domain}`;
}

function describeMasters(outcome: OutcomeView): string {
  const { mastersThere } = outcome;
  if (mastersThere.length === 0) return `No master is on ${nameOf(outcome)}.`;
  const verb = mastersThere.length === 1 ? 'goes' : 'go';
  return `${formatCount(mastersThere.length, 'master')} ${verb} with it: ${mastersThere.join(', ')}.`;
}

function describeLoss(outcome: OutcomeView, { style }: View): string {
  if (outcome.lostShards.length === 0) {
    return `${style.good('None is lost')}: each shard has a member elsewhere that can serve them.`;
  }
  const shards = outcome.lostShards.join(', ');
  return (
    `${style.bad('Lost')}: ${describeSlots(outcome)}, all of ${shards}. No other member of ` +
    `${outcome.lostShards.length === 1 ? 'it' : 'them'} is alive and in sync; the slots are back when ` +
    `${nameOf(outcome)} is.`
  );
}

function describeMajority(outcome: OutcomeView, { style }: View): string {
  const { mastersLeft, mastersNeeded, quorumKept } = outcome;
  const left = `${formatCount(mastersLeft, 'master')} would be left and ${mastersNeeded} are needed`;
  if (quorumKept) return `${style.good('Kept')}: ${left}.`;
  return (
    `${style.bad('Lost')}: ${left}. No replica could take over, and the whole cluster would stop ` +
    'serving until masters are back.'
  );
}

function describeFailovers({ failovers, quorumKept, mastersThere }: OutcomeView): string {
  if (failovers.length > 0) {
    const each = failovers.length === 1 ? 'fails' : 'fail';
    return `${failovers.join(', ')} ${each} over to a replica elsewhere, in about the node timeout.`;
  }
  if (mastersThere.length === 0) return 'None is needed.';
  return quorumKept
    ? 'None: no replica is left to take over.'
    : 'None: there is no majority for it.';
}

function describeReplicasLeft({ replicasLeft }: OutcomeView): string {
  const byCount = Map.groupBy(Object.keys(replicasLeft).toSorted(compareText), (shard) => {
    return replicasLeft[shard] ?? 0;
  });
  const told = [...byCount]
    .sort(([a], [b]) => a - b)
    .map(([count, shards]) => `${count === 0 ? 'none' : count} of ${shards.join(', ')}`);
  return `In sync besides the masters: ${told.join('; ')}.`;
}

function describeNext(outcome: OutcomeView, { style }: View): string {
  const worst = outcome.worstHostAfter;
  if (worst === null) return '';
  const carries = `${worst.host} may have ${formatCount(worst.masters, 'master')}`;
  return worst.quorumKept
    ? `${carries}; losing it as well would ${style.good('leave a majority')}.`
    : `${carries}; losing it next, before ${nameOf(outcome)} is back and roles are home, would ` +
        style.caution('take the majority') +
        '.';
}
