/** Tells the controller's own isolation from the failure of hosts. */
import type { HostStatus } from './host.ts';

/**
 * Whether the controller must take itself for the one that is cut off: more than half of all hosts
 * that it knows, of whatever cluster, are not online. One host alone says nothing: that it is silent
 * is as likely its own failure, and there is no other host to compare it with.
 */
export function isCutOff(hosts: readonly { readonly status: HostStatus }[]): boolean {
  const silent = hosts.filter(({ status }) => status !== 'online').length;
  return hosts.length >= 2 && silent * 2 > hosts.length;
}
