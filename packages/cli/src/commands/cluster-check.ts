/** `redrover cluster check`. */
import { findingFromProto } from '@redrover/wire';

import { ExitCode } from '../exit-code.ts';
import { argumentAt } from '../program/define-command.ts';
import type { Handler } from '../program/define-command.ts';
import type { Session } from '../program/session.ts';
import { renderFindings } from '../render/finding-view.ts';

export const checkCluster: Handler = async (session, invocation) => {
  return examineCluster(session, argumentAt(invocation, 0));
};

/** Information is no finding that a script should stop for. */
export async function examineCluster(session: Session, cluster: string): Promise<ExitCode> {
  const { api, output } = session;
  const answer = await api.clusters.checkCluster({ cluster });
  const findings = answer.findings.map((each) => findingFromProto(each));
  const { passed } = answer;
  const serious = findings.filter(({ severity }) => severity !== 'info');
  output.result({ cluster, ok: serious.length === 0, passed, findings }, (view) => {
    const { style } = view;
    const lines = passed.map((line) => `${style.good('ok')}  ${line}`);
    if (findings.length > 0) lines.push('', renderFindings(findings, view));
    else lines.push('', `${style.strong(cluster)}: ${style.good('no findings')}`);
    return lines.join('\n');
  });
  return serious.length === 0 ? ExitCode.done : ExitCode.attention;
}
