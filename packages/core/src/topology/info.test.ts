import { describe, expect, it } from 'vitest';
import { readClusterInfo, readInfo } from './info.ts';

const master = `# Server\r
redis_version:7.0.15\r
uptime_in_seconds:42\r
# Clients\r
connected_clients:3\r
# Memory\r
used_memory:1500000\r
maxmemory:268435456\r
# Persistence\r
loading:0\r
async_loading:0\r
rdb_last_bgsave_status:ok\r
aof_enabled:1\r
aof_last_write_status:ok\r
# Replication\r
role:master\r
connected_slaves:1\r
slave0:ip=10.0.0.2,port=6379,state=online,offset=980,lag=0\r
master_repl_offset:980\r
# Keyspace\r
db0:keys=12,expires=3,avg_ttl=0\r
`;

const replica = master
  .replace('role:master', 'role:slave\r\nmaster_host:10.0.0.1\r\nmaster_link_status:up')
  .replace('connected_slaves:1', 'master_last_io_seconds_ago:2\r\nslave_repl_offset:970')
  .concat('master_sync_in_progress:0\r\n');

describe('INFO', () => {
  it('of a master', () => {
    expect(readInfo(master)).toEqual({
      product: 'redis',
      version: '7.0.15',
      role: 'master',
      replicationOffset: 980,
      masterLinkUp: undefined,
      masterLastIoSeconds: undefined,
      syncInProgress: false,
      loading: false,
      connectedReplicas: 1,
      connectedClients: 3,
      usedMemoryBytes: 1_500_000,
      maxmemoryBytes: 268_435_456,
      keys: 12,
      uptimeSeconds: 42,
      aofEnabled: true,
      persistenceOk: true,
      aofRewriting: false,
    });
  });

  it('of a server whose clock was set back has no time below zero', () => {
    const text = replica
      .replace('uptime_in_seconds:42', 'uptime_in_seconds:-3586')
      .replace('seconds_ago:2', 'seconds_ago:-3600');
    expect(readInfo(text)).toMatchObject({ uptimeSeconds: 0, masterLastIoSeconds: -1 });
  });

  it('of a replica has its link and its own offset', () => {
    expect(readInfo(replica)).toMatchObject({
      role: 'replica',
      replicationOffset: 970,
      masterLinkUp: true,
      masterLastIoSeconds: 2,
    });
  });

  it('of a replica whose link is down or whose sync is under way says so', () => {
    const down = replica
      .replace('master_link_status:up', 'master_link_status:down')
      .replace('seconds_ago:2', 'seconds_ago:-1')
      .replace('master_sync_in_progress:0', 'master_sync_in_progress:1');
    expect(readInfo(down)).toMatchObject({
      masterLinkUp: false,
      masterLastIoSeconds: -1,
      syncInProgress: true,
    });
  });

  it('of Valkey gives its own version, not the one that it reports for old clients', () => {
    const valkey = 'redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\n';
    expect(readInfo(valkey)).toMatchObject({ product: 'valkey', version: '9.1.2' });
  });

  it.each([
    ['aof_last_write_status:ok', 'aof_last_write_status:err'],
    ['rdb_last_bgsave_status:ok', 'rdb_last_bgsave_status:err'],
  ])('shows failing persistence: %s → %s', (from, to) => {
    expect(readInfo(master.replace(from, to)).persistenceOk).toBe(false);
  });

  it.each(['aof_rewrite_in_progress', 'aof_rewrite_scheduled'])(
    'shows a rewrite by %s',
    (field) => {
      expect(readInfo(`${field}:1\r\n`).aofRewriting).toBe(true);
    },
  );

  it('of a node that loads leaves most out, and is read all the same', () => {
    expect(readInfo('loading:1\r\n')).toMatchObject({ loading: true, keys: 0, role: 'master' });
  });

  it('sums the keys of all databases, which Valkey 9 allows in a cluster', () => {
    expect(readInfo('db0:keys=2,expires=0\r\ndb11:keys=5,expires=0\r\n').keys).toBe(7);
  });
});

describe('CLUSTER INFO', () => {
  it('gives state, coverage and epochs', () => {
    const text = [
      'cluster_enabled:1',
      'cluster_state:ok',
      'cluster_slots_assigned:16384',
      'cluster_known_nodes:6',
      'cluster_size:3',
      'cluster_current_epoch:6',
      'cluster_my_epoch:2',
    ].join('\r\n');
    expect(readClusterInfo(text)).toEqual({
      clusterState: 'ok',
      slotsAssigned: 16384,
      knownNodes: 6,
      currentEpoch: 6,
      configEpoch: 2,
    });
  });

  it('that says nothing reads as fail', () => {
    expect(readClusterInfo('').clusterState).toBe('fail');
  });
});
