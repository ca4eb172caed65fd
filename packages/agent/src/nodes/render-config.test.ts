import { busPortOf, type NodePlan } from '@redrover/core';
import { describe, expect, test } from 'vitest';

import { pathsIn } from './paths.ts';
import { renderConfig } from './render-config.ts';

const paths = pathsIn('/usr/local/redis/6379');
const secrets = { password: 'se"cret \\ pass' };

function planOf(version: string, change: Partial<NodePlan> = {}, address = '10.0.0.1'): NodePlan {
  return {
    cluster: 'shop',
    clusterId: 'id1',
    layoutNumber: 1,
    node: {
      key: 'h1:6379',
      host: 'h1',
      address,
      port: 6379,
      busPort: busPortOf(6379),
      shard: 's1',
      preferredRole: 'master',
      configEpoch: 1,
    },
    release: `redis-${version}`,
    product: 'redis',
    version,
    maxmemoryBytes: undefined,
    nodeTimeoutMs: 5000,
    config: {},
    ...change,
  };
}

/** Directive names in order, each with its arguments. */
function directives(plan: NodePlan): Map<string, string> {
  const lines = renderConfig(plan, paths, secrets)
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.split(' ', 1)[0] ?? '', line.replace(/^\S+ /, '')]));
}

describe('renderConfig', () => {
  test('renders a node of redis 7.0 like this', () => {
    expect(renderConfig(planOf('7.0.15', { maxmemoryBytes: 1024 }), paths, secrets)).toBe(
      `# h1:6379 of cluster shop (redis-7.0.15).
# Written by Redrover: change the spec instead, your edits will be lost.

# Network
bind 10.0.0.1 127.0.0.1
protected-mode yes
port 6379

# Process and files
daemonize no
supervised no
dir /usr/local/redis/6379
pidfile /usr/local/redis/6379/redis.pid
logfile /usr/local/redis/6379/redis.log
dbfilename dump.rdb
appendfilename appendonly.aof

# Authentication
requirepass "se\\"cret \\\\ pass"
masterauth "se\\"cret \\\\ pass"

# Cluster
cluster-enabled yes
cluster-config-file nodes.conf
cluster-node-timeout 5000
cluster-announce-ip 10.0.0.1
cluster-allow-replica-migration no
appenddirname appendonlydir

# Memory
maxmemory 1024

# Defaults of Redrover
tcp-backlog 20480
tcp-keepalive 300
timeout 0
loglevel notice
maxclients 60000
appendonly yes
appendfsync everysec
repl-diskless-sync-delay 0
enable-debug-command no
enable-module-command no
enable-protected-configs no
shutdown-timeout 10
`,
    );
  });

  test('writes nothing that an older release does not know', () => {
    const since6 = ['cluster-allow-replica-migration'];
    const since7 = [
      'appenddirname',
      'enable-debug-command',
      'enable-module-command',
      'enable-protected-configs',
      'shutdown-timeout',
    ];
    const old = directives(planOf('5.0.3'));
    for (const name of [...since6, ...since7]) expect(old.has(name), name).toBe(false);
    const middle = directives(planOf('6.2.14'));
    for (const name of since6) expect(middle.has(name), name).toBe(true);
    for (const name of since7) expect(middle.has(name), name).toBe(false);
  });

  test('keeps replica migration off in every release', () => {
    expect(directives(planOf('6.2.1')).get('cluster-migration-barrier')).toBe('1000000');
    expect(directives(planOf('6.2.2')).get('cluster-allow-replica-migration')).toBe('no');
    const valkey = planOf('9.1.2', { product: 'valkey', release: 'valkey-9.1.2' });
    expect(directives(valkey).get('cluster-allow-replica-migration')).toBe('no');
  });

  test("binds the host's own address first, and loopback once", () => {
    expect(directives(planOf('5.0.3')).get('bind')).toBe('10.0.0.1 127.0.0.1');
    expect(directives(planOf('7.0.15', {}, '127.0.0.11')).get('bind')).toBe('127.0.0.11');
    expect(directives(planOf('7.0.15', {}, 'fd00::7')).get('bind')).toBe('fd00::7 127.0.0.1');
  });

  test('lets the spec replace a default, in one line, behind all others', () => {
    const plan = planOf('7.0.15', { config: { appendonly: 'no', save: '', 'tcp-backlog': '99' } });
    const text = renderConfig(plan, paths, secrets);
    expect(text.match(/^appendonly /gm)).toHaveLength(1);
    expect(text).toMatch(/# From the spec\nappendonly no\nsave ""\ntcp-backlog 99\n$/);
  });

  test('refuses options that Redrover owns, more than one line, and odd names', () => {
    for (const config of [
      { port: '1' },
      { requirepass: '' },
      { 'tls-port': '6380' },
      { save: '1 1\nport 1' },
      { 'save\nport': '1' },
      { save: '1\u0000' },
    ] as Record<string, string>[]) {
      const render = () => renderConfig(planOf('7.0.15', { config }), paths, secrets);
      expect(render, JSON.stringify(config)).toThrow(
        expect.objectContaining({ code: 'invalid-argument' }),
      );
    }
  });

  test('takes a bus port of its own only from 7.0 on', () => {
    const at = (version: string) => {
      const plan = planOf(version);
      return { ...plan, node: { ...plan.node, busPort: 7379 } };
    };
    expect(directives(at('7.0.0')).get('cluster-port')).toBe('7379');
    expect(() => renderConfig(at('6.2.14'), paths, secrets)).toThrow('needs Redis 7.0');
  });
});
