/** The values that hosts of Redis nodes should have. How they are read and applied is this folder's other files' business. */

export interface SysctlSetting {
  /** As sysctl(8) names it. */
  readonly name: string;
  readonly wanted: number;
  /** `at-least`: a higher value that somebody chose is left as it is. */
  readonly rule: 'exactly' | 'at-least';
}

/**
 * The two queues of connections that wait to be accepted: `tcp-backlog` of redis.conf is cut to them
 * without a word ("Redis administration", redis.conf). Overcommit 1: without it a fork for a
 * snapshot is refused on a host whose memory is half full ("Redis FAQ", background saving).
 */
export const sysctlSettings: readonly SysctlSetting[] = [
  { name: 'net.core.somaxconn', wanted: 20_480, rule: 'at-least' },
  { name: 'net.ipv4.tcp_max_syn_backlog', wanted: 20_480, rule: 'at-least' },
  { name: 'vm.overcommit_memory', wanted: 1, rule: 'exactly' },
];

/** Open files for people and nodes: 10 000 clients and Redis' own files, several times over. */
export const wantedNofile = 65_535;

/** Huge pages make copy-on-write after a fork copy 2 MB at a time ("Redis administration"). */
export const wantedHugePages = 'never';

export function satisfies(found: number | undefined, setting: SysctlSetting): boolean {
  if (found === undefined) return false;
  return setting.rule === 'exactly' ? found === setting.wanted : found >= setting.wanted;
}

/** Path below `/proc/sys`. */
export function sysctlPath(name: string): string {
  return name.replaceAll('.', '/');
}

/** Redrover's own file below each of the host's folders for such; no other is ever written. */
export const ownFiles = {
  sysctl: 'sysctl.d/90-redrover.conf',
  limits: 'security/limits.d/90-redrover.conf',
  tmpfiles: 'tmpfiles.d/90-redrover.conf',
  openrc: 'local.d/redrover-hugepages.start',
  rcLocal: 'rc.local',
} as const;

const notice = '# Written by redrover; changes are overwritten by the next `redrover host tune`.';

export function renderSysctlFile(settings: readonly SysctlSetting[]): string {
  const lines = settings.map(({ name, wanted }) => `${name} = ${wanted}`);
  return [notice, ...lines, ''].join('\n');
}

/** `*` does not count for root (limits.conf(5)). */
export function renderLimitsFile(): string {
  const lines = ['root', '*'].flatMap((who) =>
    ['soft', 'hard'].map((kind) => `${who} ${kind} nofile ${wantedNofile}`),
  );
  return [notice, ...lines, ''].join('\n');
}

export const hugePagesFile = '/sys/kernel/mm/transparent_hugepage/enabled';

export function renderTmpfilesFile(): string {
  return [notice, `w ${hugePagesFile} - - - - ${wantedHugePages}`, ''].join('\n');
}

/** For OpenRC's local.d and for rc.local, which both run it as a shell script at boot. */
export function renderBootScript(): string {
  return ['#!/bin/sh', notice, `echo ${wantedHugePages} > ${hugePagesFile}`, ''].join('\n');
}

/** Whether a file is one of ours, to be replaced at will. */
export function isOwnFile(content: string): boolean {
  return content.includes(notice);
}
