/** Decides what tuning has to change, from readings alone. Pure; doing it is `apply.ts`'s business. */
import { join } from 'node:path';

import type { HostPaths } from '../host-paths.ts';
import {
  assessHugePages,
  assessNofile,
  assessSysctl,
  bootFile,
  ownedBySomebodyElse,
} from './assess.ts';
import { configuredSysctl } from './config-files.ts';
import type { Readings } from './readings.ts';
import {
  ownFiles,
  renderBootScript,
  renderLimitsFile,
  renderSysctlFile,
  renderTmpfilesFile,
  satisfies,
  sysctlSettings,
  wantedHugePages,
} from './settings.ts';

/** One change; `items` are the names of the tuning items that it is for. */
export type TuningAction =
  /** A value of the running kernel. */
  | {
      readonly kind: 'setValue';
      readonly items: readonly string[];
      readonly path: string;
      readonly value: string;
    }
  /** One of our own files, replaced as a whole. */
  | {
      readonly kind: 'writeFile';
      readonly items: readonly string[];
      readonly path: string;
      readonly content: string;
      readonly mode: number;
    };

/** Nothing for what is right already, nor for what this agent cannot change. */
export function planTuning(readings: Readings, paths: HostPaths): TuningAction[] {
  return [
    ...planSysctlValues(readings, paths),
    ...planHugePagesValue(readings, paths),
    ...planSysctlFile(readings, paths),
    ...planLimitsFile(readings, paths),
    ...planBootFile(readings, paths),
  ];
}

function planSysctlValues(readings: Readings, paths: HostPaths): TuningAction[] {
  return sysctlSettings.flatMap((setting): TuningAction[] => {
    const reading = readings.sysctls[setting.name];
    if (reading?.content === undefined || reading.access !== 'writable') return [];
    if (assessSysctl(setting, readings, paths).inForce) return [];
    const { name, wanted } = setting;
    return [{ kind: 'setValue', items: [name], path: reading.path, value: `${wanted}` }];
  });
}

function planHugePagesValue(readings: Readings, paths: HostPaths): TuningAction[] {
  const { path, access } = readings.hugePages;
  if (access !== 'writable' || assessHugePages(readings, paths).inForce) return [];
  return [{ kind: 'setValue', items: ['transparent_hugepage'], path, value: wantedHugePages }];
}

/** Holds what no other file gives: a higher value in one that is read earlier must not be lowered. */
function planSysctlFile(readings: Readings, paths: HostPaths): TuningAction[] {
  const own = join(paths.etc, ownFiles.sysctl);
  const isPersisted = sysctlSettings.every(
    (setting) => assessSysctl(setting, readings, paths).persisted,
  );
  if (isPersisted) return [];
  const others = readings.sysctlFiles.filter(({ path }) => path !== own);
  const settings = sysctlSettings.filter((setting) => {
    const value = configuredSysctl(others, setting.name)?.value;
    return !satisfies(value === undefined ? undefined : Number(value), setting);
  });
  const items = settings.map(({ name }) => name);
  return replace(readings, { path: own, content: renderSysctlFile(settings), items, mode: 0o644 });
}

function planLimitsFile(readings: Readings, paths: HostPaths): TuningAction[] {
  if (assessNofile(readings, paths).persisted) return [];
  const path = join(paths.etc, ownFiles.limits);
  return replace(readings, { path, content: renderLimitsFile(), items: ['nofile'], mode: 0o644 });
}

function planBootFile(readings: Readings, paths: HostPaths): TuningAction[] {
  if (assessHugePages(readings, paths).persisted) return [];
  const path = join(paths.etc, bootFile(readings));
  if (ownedBySomebodyElse(path, readings)) return [];
  const items = ['transparent_hugepage'];
  return readings.bootMechanism === 'tmpfiles'
    ? replace(readings, { path, content: renderTmpfilesFile(), items, mode: 0o644 })
    : replace(readings, { path, content: renderBootScript(), items, mode: 0o755 });
}

/** Nothing when the file is as it should be: then somebody else's file is in its way. */
function replace(
  readings: Readings,
  file: { path: string; content: string; items: readonly string[]; mode: number },
): TuningAction[] {
  const present = readings.ownFiles[file.path];
  if (present?.access !== 'writable' || present.content === file.content) return [];
  return [{ kind: 'writeFile', ...file }];
}
