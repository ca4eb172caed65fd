import { describe, expect, test } from 'vitest';

import { hostPaths } from '../host-paths.ts';
import { assessTuning } from './assess.ts';
import {
  chosenHugePages,
  configuredNofile,
  configuredScript,
  configuredSysctl,
  configuredTmpfile,
  hugePagesOfCommandLine,
} from './config-files.ts';
import { planTuning } from './plan.ts';
import type { Readings, ValueReading } from './readings.ts';
import { hugePagesFile, ownFiles } from './settings.ts';

const paths = hostPaths();

function value(path: string, content: string | undefined): ValueReading {
  return { path, content, access: 'writable' };
}

const own = Object.values(ownFiles).map((name) => `/etc/${name}`);

/** A host where nothing is tuned, with root, systemd and swap. */
const untuned: Readings = {
  root: true,
  sysctls: {
    'net.core.somaxconn': value('/proc/sys/net/core/somaxconn', '4096\n'),
    'net.ipv4.tcp_max_syn_backlog': value('/proc/sys/net/ipv4/tcp_max_syn_backlog', '512\n'),
    'vm.overcommit_memory': value('/proc/sys/vm/overcommit_memory', '0\n'),
  },
  hugePages: value(hugePagesFile, 'always [madvise] never\n'),
  sysctlFiles: [],
  limitsFiles: [],
  tmpfilesFiles: [],
  bootScripts: [],
  bootMechanism: 'tmpfiles',
  kernelCommandLine: 'quiet',
  ownFiles: Object.fromEntries(own.map((path) => [path, value(path, undefined)])),
  nofile: { soft: 1024, hard: 4096 },
  mayRaiseLimits: true,
  swapTotalBytes: 2 ** 31,
  swappiness: 1,
  timeSync: 'chronyd',
};

function statesOf(readings: Readings): Record<string, string> {
  return Object.fromEntries(assessTuning(readings, paths).map(({ name, state }) => [name, state]));
}

/** The host after its plan was carried out. */
function afterPlan(readings: Readings): Readings {
  let next = readings;
  for (const action of planTuning(readings, paths)) {
    if (action.kind === 'setValue') {
      const sysctls = Object.entries(next.sysctls).map(([name, reading]) => [
        name,
        reading.path === action.path ? value(action.path, `${action.value}\n`) : reading,
      ]);
      const isHugePages = action.path === hugePagesFile;
      next = {
        ...next,
        sysctls: Object.fromEntries(sysctls) as Readings['sysctls'],
        hugePages: isHugePages ? value(hugePagesFile, 'always madvise [never]\n') : next.hugePages,
      };
      continue;
    }
    const file = { path: action.path, content: action.content };
    next = {
      ...next,
      ownFiles: { ...next.ownFiles, [action.path]: value(action.path, action.content) },
      ...(action.path.includes('sysctl.d') ? { sysctlFiles: [...next.sysctlFiles, file] } : {}),
      ...(action.path.includes('limits.d') ? { limitsFiles: [...next.limitsFiles, file] } : {}),
      ...(action.path.includes('tmpfiles.d') ? { tmpfilesFiles: [file] } : {}),
      ...(action.mode === 0o755 ? { bootScripts: [file] } : {}),
    };
  }
  return next;
}

describe('the plan', () => {
  test.each(['tmpfiles', 'openrc', 'rc-local'] as const)(
    'carried out with %s, leaves everything ok and the next plan empty',
    (bootMechanism) => {
      const readings = { ...untuned, bootMechanism };
      expect(planTuning(readings, paths)).toHaveLength(7);
      const after = afterPlan(readings);
      expect(new Set(Object.values(statesOf(after)))).toEqual(new Set(['ok']));
      expect(planTuning(after, paths)).toEqual([]);
    },
  );

  test('leaves alone what it may not write', () => {
    const readings: Readings = {
      ...untuned,
      sysctls: {
        ...untuned.sysctls,
        'vm.overcommit_memory': {
          path: '/proc/sys/vm/overcommit_memory',
          content: '0\n',
          access: 'read-only',
        },
      },
    };
    const written = planTuning(readings, paths).map(({ path }) => path);
    expect(written).not.toContain('/proc/sys/vm/overcommit_memory');
    expect(written).toContain('/proc/sys/net/core/somaxconn');
    expect(statesOf(afterPlan(readings))['vm.overcommit_memory']).toBe('read-only');
  });

  test('never writes an rc.local that somebody else wrote', () => {
    const theirs = value('/etc/rc.local', '#!/bin/sh\nexit 0\n');
    const readings: Readings = {
      ...untuned,
      bootMechanism: 'rc-local',
      ownFiles: { ...untuned.ownFiles, '/etc/rc.local': theirs },
    };
    const written = planTuning(readings, paths).map(({ path }) => path);
    expect(written).not.toContain('/etc/rc.local');
  });

  test('writes no file while somebody else keeps huge pages off at boot', () => {
    const readings: Readings = { ...untuned, kernelCommandLine: 'ro transparent_hugepage=never' };
    const written = planTuning(readings, paths).map(({ path }) => path);
    expect(written).toContain(hugePagesFile);
    expect(written).not.toContain('/etc/tmpfiles.d/90-redrover.conf');
  });
});

describe('the check', () => {
  test('reports a value that the kernel does not show as read-only', () => {
    const somaxconn = value('/proc/sys/net/core/somaxconn', undefined);
    const readings = {
      ...untuned,
      sysctls: { ...untuned.sysctls, 'net.core.somaxconn': somaxconn },
    };
    const [item] = assessTuning(readings, paths);
    expect(item).toMatchObject({ found: 'absent', state: 'read-only' });
    expect(planTuning(readings, paths)).not.toContainEqual(
      expect.objectContaining({ path: '/proc/sys/net/core/somaxconn' }),
    );
  });

  test('advises about swap and time, and plans nothing for them', () => {
    const states = statesOf({ ...untuned, swapTotalBytes: 0, timeSync: '' });
    expect(states).toMatchObject({ swap: 'advice', 'time-sync': 'advice' });
  });

  test('does not call files of logins enough when this agent cannot give them to nodes', () => {
    const limits = {
      path: '/etc/security/limits.conf',
      content: 'root - nofile 65535\n* - nofile 65535',
    };
    const readings = { ...untuned, mayRaiseLimits: false, limitsFiles: [limits] };
    expect(statesOf({ ...readings, root: false })['nofile']).toBe('needs-root');
    expect(statesOf(readings)['nofile']).toBe('read-only');
    expect(statesOf({ ...readings, nofile: { soft: 1024, hard: 65_535 } })['nofile']).toBe('ok');
  });
});

describe('configuration files', () => {
  const file = (content: string, path = '/etc/x') => ({ path, content });

  test('the last assignment of a sysctl wins, in either spelling', () => {
    const files = [
      file('vm.overcommit_memory = 1', '/a'),
      file('-vm/overcommit_memory=2\n#x=3', '/b'),
    ];
    expect(configuredSysctl(files, 'vm.overcommit_memory')).toEqual({ value: '2', path: '/b' });
    expect(configuredSysctl(files, 'vm.overcommit')).toBeUndefined();
    expect(
      configuredSysctl([file('; vm.overcommit_memory = 1')], 'vm.overcommit_memory'),
    ).toBeUndefined();
  });

  test('"*" does not count for root, and "-" sets both limits', () => {
    const files = [file('* - nofile unlimited # all\nroot soft nofile 10')];
    expect(configuredNofile(files, 'others')).toMatchObject({ soft: Infinity, hard: Infinity });
    expect(configuredNofile(files, 'root')).toBeUndefined();
  });

  test('the first tmpfiles line of a path wins', () => {
    const files = [
      file(`w ${hugePagesFile} - - - - madvise`),
      file(`w ${hugePagesFile} - - - - never`),
    ];
    expect(configuredTmpfile(files, hugePagesFile)?.value).toBe('madvise');
  });

  test('finds the value that a boot script writes, not one in a comment', () => {
    expect(configuredScript([file(`  echo never > ${hugePagesFile}`)], hugePagesFile)?.value).toBe(
      'never',
    );
    expect(
      configuredScript([file(`# echo never > ${hugePagesFile}`)], hugePagesFile),
    ).toBeUndefined();
  });

  test('reads the chosen mode and the kernel command line', () => {
    expect(chosenHugePages('always madvise [never]\n')).toBe('never');
    expect(hugePagesOfCommandLine('a transparent_hugepage=never b')).toBe('never');
    expect(hugePagesOfCommandLine('no_transparent_hugepage=never')).toBeUndefined();
  });
});
