/** What is said of a plan that holds no more: by what command its owner sees a new one. */
import { RedroverError, type HostChange, type Reshard } from '@redrover/core';

export function stalePlan(name: string, command: string): RedroverError {
  return new RedroverError(
    'stale-plan',
    `hosts, nodes or the spec of ${name} have changed since the plan was made; plan again with ` +
      `\`${command}\` and approve the new plan`,
  );
}

export function hostCommandOf(change: HostChange): string {
  switch (change.kind) {
    case 'drainMove':
      return `redrover host drain ${change.host} --move`;
    case 'replace':
      return `redrover host replace ${change.host} --with ${change.with}`;
    default:
      return `redrover host ${change.kind} ${change.host}`;
  }
}

export function reshardCommandOf(cluster: string, change: Reshard): string {
  switch (change.kind) {
    case 'rebalance':
      return `redrover cluster rebalance ${cluster} --by ${change.by}`;
    case 'moveSlots':
      return `redrover cluster move-slots ${cluster}`;
    case 'spread':
      return `redrover cluster spread ${cluster}`;
  }
}
