/** Says of each tuning item what was found, what is wanted and what can be done about it. Pure. */
import { join } from 'node:path';

import type { TuningItem } from '@redrover/core';

import type { HostPaths } from '../host-paths.ts';
import {
  chosenHugePages,
  configuredNofile,
  configuredScript,
  configuredSysctl,
  configuredTmpfile,
  hugePagesOfCommandLine,
  type ConfiguredValue,
} from './config-files.ts';
import type { Access, Readings } from './readings.ts';
import {
  hugePagesFile,
  isOwnFile,
  ownFiles,
  satisfies,
  sysctlSettings,
  wantedHugePages,
  wantedNofile,
  type SysctlSetting,
} from './settings.ts';

/** Everything about an item that both the check and the plan need. */
export interface Assessment {
  readonly item: TuningItem;
  readonly inForce: boolean;
  readonly persisted: boolean;
}

const tuneHint = 'run: redrover host tune';
const asRootHint = 'redrover host tune, with the agent started as root';

export function assessTuning(readings: Readings, paths: HostPaths): TuningItem[] {
  return [
    ...sysctlSettings.map((setting) => assessSysctl(setting, readings, paths).item),
    assessHugePages(readings, paths).item,
    assessNofile(readings, paths).item,
    assessSwap(readings, paths),
    assessTimeSync(readings),
  ];
}

export function assessSysctl(
  setting: SysctlSetting,
  readings: Readings,
  { etc }: HostPaths,
): Assessment {
  const own = join(etc, ownFiles.sysctl);
  const reading = readings.sysctls[setting.name];
  const found = reading?.content?.trim();
  const configured = configuredSysctl(readings.sysctlFiles, setting.name);
  const inForce = satisfies(readNumber(found), setting);
  const persisted = satisfies(readNumber(configured?.value), setting);
  const item = {
    name: setting.name,
    found: found ?? 'absent',
    wanted: `${setting.wanted}`,
    source: `${reading?.path ?? ''}, ${configured?.path ?? own}`,
    before: undefined,
  };
  if (found === undefined) {
    const hint = 'this kernel does not show it here (a container?): set it on the machine itself';
    return { item: { ...item, state: 'read-only', hint }, inForce, persisted };
  }
  const state = stateOf({ inForce, persisted, access: reading?.access ?? 'read-only' });
  const command = `sysctl -w ${setting.name}=${setting.wanted}`;
  const hint = inForce
    ? persistHint(configured, own, readings)
    : changeHint(state, `sudo ${command}`, command);
  return { item: { ...item, state, hint: state === 'ok' ? '' : hint }, inForce, persisted };
}

export function assessHugePages(readings: Readings, paths: HostPaths): Assessment {
  const own = join(paths.etc, bootFile(readings));
  const { content, path, access } = readings.hugePages;
  const found = content === undefined ? 'not in this kernel' : chosenHugePages(content);
  const inForce = content === undefined || found === wantedHugePages;
  const configured = configuredHugePages(readings, paths);
  const persisted = content === undefined || configured?.value === wantedHugePages;
  const state = stateOf({ inForce, persisted, access });
  const command = `echo ${wantedHugePages} | sudo tee ${hugePagesFile}`;
  const hint = inForce
    ? hugePagesPersistHint(configured, own, readings)
    : changeHint(state, command, command);
  const item: TuningItem = {
    name: 'transparent_hugepage',
    found,
    wanted: wantedHugePages,
    source: `${path}, ${configured?.path ?? own}`,
    state,
    before: undefined,
    hint: state === 'ok' ? '' : hint,
  };
  return { item, inForce, persisted };
}

/** For logins by the limits files; the nodes' own limits are set when they are started. */
export function assessNofile(readings: Readings, { etc, proc }: HostPaths): Assessment {
  const own = join(etc, ownFiles.limits);
  const logins = (['root', 'others'] as const).map((who) =>
    configuredNofile(readings.limitsFiles, who),
  );
  const lowest = (kind: 'soft' | 'hard'): number =>
    Math.min(...logins.map((limits) => limits?.[kind] ?? 0));
  const persisted = Math.min(lowest('soft'), lowest('hard')) >= wantedNofile;
  const { soft, hard } = readings.nofile;
  const inForce = readings.mayRaiseLimits || hard >= wantedNofile;
  const refused = readings.root ? 'read-only' : 'needs-root';
  const access = readings.ownFiles[own]?.access ?? 'read-only';
  const state = persisted ? (inForce ? 'ok' : refused) : access === 'writable' ? 'differs' : access;
  const files = [...new Set(logins.flatMap((limits) => limits?.paths ?? []))];
  const item: TuningItem = {
    name: 'nofile',
    found: logins.includes(undefined)
      ? `not set for logins; this agent: soft ${soft}, hard ${hard}`
      : `soft ${lowest('soft')}, hard ${lowest('hard')}`,
    wanted: `soft ${wantedNofile}, hard ${wantedNofile}`,
    source: [join(proc, 'self/limits'), ...(files.length === 0 ? [own] : files)].join(', '),
    state,
    before: undefined,
    hint: nofileHint(state, { persisted, hard, root: readings.root }),
  };
  return { item, inForce, persisted };
}

function nofileHint(
  state: TuningItem['state'],
  { persisted, hard, root }: { persisted: boolean; hard: number; root: boolean },
): string {
  if (state === 'ok') return '';
  if (!persisted) return changeHint(state, asRootHint, '');
  return root
    ? `nodes get ${hard} at most: this root may not raise limits (a container?); raise the container's`
    : `nodes get ${hard} at most until the agent is started from a new login, or as root`;
}

/** Redis asks for some swap, so that a shortage is slow rather than deadly, and for little use of it. */
function assessSwap({ swapTotalBytes, swappiness }: Readings, { proc }: HostPaths): TuningItem {
  const some = swapTotalBytes > 0;
  const isFine = some && swappiness <= swappinessMax;
  return {
    name: 'swap',
    found: some
      ? `${(swapTotalBytes / 1024 ** 3).toFixed(1)} GiB, swappiness ${swappiness}`
      : 'none',
    wanted: `some, swappiness at most ${swappinessMax}`,
    source: `${proc}/meminfo, ${proc}/sys/vm/swappiness`,
    state: isFine ? 'ok' : 'advice',
    before: undefined,
    hint: isFine
      ? ''
      : some
        ? 'a node that is swapped out answers late; lower vm.swappiness'
        : 'without swap the kernel kills a node when memory runs out; add some, or set maxmemory well below',
  };
}

// Anonymous memory is swapped only under real pressure (kernel documentation, vm.swappiness).
const swappinessMax = 10;

function assessTimeSync({ timeSync }: Readings): TuningItem {
  return {
    name: 'time-sync',
    found: timeSync === '' ? 'none seen' : timeSync,
    wanted: 'a running time daemon',
    source: '/proc/*/comm',
    state: timeSync === '' ? 'advice' : 'ok',
    before: undefined,
    hint:
      timeSync === ''
        ? "expiry times and logs are compared between hosts; install chrony, or keep the machine's host in time"
        : '',
  };
}

function stateOf(facts: {
  inForce: boolean;
  persisted: boolean;
  access: Access;
}): TuningItem['state'] {
  if (facts.inForce) return facts.persisted ? 'ok' : 'not-persisted';
  return facts.access === 'writable' ? 'differs' : facts.access;
}

function changeHint(state: TuningItem['state'], asRoot: string, onMachine: string): string {
  switch (state) {
    case 'needs-root':
      return `needs root; run: ${asRoot}`;
    case 'read-only':
      return `read-only here (a container?)${onMachine === '' ? '' : `; on the machine itself run: ${onMachine}`}`;
    default:
      return tuneHint;
  }
}

/** In force, but not after a reboot: because of somebody else's file, or because ours is missing. */
function persistHint(
  configured: ConfiguredValue | undefined,
  own: string,
  readings: Readings,
): string {
  const reading = readings.ownFiles[own];
  if (configured !== undefined && configured.path !== own && reading?.content !== undefined) {
    return `${configured.path} sets ${configured.value} after ${own}; remove that line`;
  }
  return changeHint(
    reading?.access === 'writable' ? 'differs' : (reading?.access ?? 'read-only'),
    asRootHint,
    '',
  );
}

function hugePagesPersistHint(
  configured: ConfiguredValue | undefined,
  own: string,
  readings: Readings,
): string {
  if (ownedBySomebodyElse(own, readings)) {
    return `${own} is not Redrover's; add to it: echo ${wantedHugePages} > ${hugePagesFile}`;
  }
  return persistHint(configured, own, readings);
}

/** rc.local alone can be: our other files bear our name. */
export function ownedBySomebodyElse(own: string, readings: Readings): boolean {
  const content = readings.ownFiles[own]?.content;
  return content !== undefined && !isOwnFile(content);
}

/** Our file of the mechanism that suits the host, below `/etc`. */
export function bootFile({ bootMechanism }: Readings): string {
  switch (bootMechanism) {
    case 'tmpfiles':
      return ownFiles.tmpfiles;
    case 'openrc':
      return ownFiles.openrc;
    case 'rc-local':
      return ownFiles.rcLocal;
  }
}

/** What will be in force after a boot: the later of the kernel's own and what is written then. */
function configuredHugePages(readings: Readings, { proc }: HostPaths): ConfiguredValue | undefined {
  const tmpfile =
    readings.bootMechanism === 'tmpfiles'
      ? configuredTmpfile(readings.tmpfilesFiles, hugePagesFile)
      : undefined;
  const value = hugePagesOfCommandLine(readings.kernelCommandLine);
  return (
    configuredScript(readings.bootScripts, hugePagesFile) ??
    tmpfile ??
    (value === undefined ? undefined : { value, path: join(proc, 'cmdline') })
  );
}

function readNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^-?\d+$/.test(text) ? Number.parseInt(text, 10) : undefined;
}
