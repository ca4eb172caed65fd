/** `npm run playground -- status`. */
import type { View } from '../output/output.ts';
import { isRunning } from '../stack/process-identity.ts';
import { readRecord, stackPaths } from '../stack/stack-record.ts';
import type { Instance } from './instance.ts';

export function renderInstances(instances: readonly Instance[], view: View): string {
  if (instances.length === 0) return 'No playground is running: `npm run playground` starts one.';
  const rows = instances.map((instance) => {
    const { controller, agents } = readRecord(instance.directory);
    const running = Object.values(agents).filter(isRunning).length;
    return [
      instance.name,
      instance.state === 'running' ? view.style.good('running') : view.style.caution('leftover'),
      instance.owner === null ? 'background' : `foreground, pid ${instance.owner.pid}`,
      controller !== undefined && isRunning(controller) ? 'running' : 'stopped',
      `${running} of ${Object.keys(agents).length}`,
      stackPaths(instance.directory).logs,
    ];
  });
  return view.table(['NAME', 'STATE', 'RUNS IN', 'CONTROLLER', 'AGENTS', 'LOGS'], rows);
}
