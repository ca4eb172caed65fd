import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clusterViewOf } from './cluster-view.ts';
import { readClusterNodes } from './cluster-nodes.ts';

const A = '07c37dfeb235213a872192d90877d0cd55635b91';
const B = '67ed2db8d677e59ec4a4cefb06858cf2a1a89fa1';
const C = '292f8b365bb7edb5e285caf0b7e6ddc7265d2f4f';

/** The example of the command page, shortened to three nodes. */
const text = [
  `${A} 127.0.0.1:30004@31004 slave ${B} 0 1426238317239 4 connected`,
  `${B} 127.0.0.1:30002@31002 master - 0 1426238316232 2 connected 5461-10922 16000`,
  `${C} 127.0.0.1:30001@31001 myself,master - 0 0 1 connected 0-5460`,
  '',
].join('\n');

function only(line: string) {
  return readClusterNodes(line).view.nodes[0];
}

describe('a line of CLUSTER NODES', () => {
  it('gives roles, masters, epochs, links and slots', () => {
    const { myselfId, view } = readClusterNodes(text);
    expect(myselfId).toBe(C);
    expect(view.nodes.map((node) => node.nodeId)).toEqual([A, C, B]);
    expect(view.nodes[0]).toEqual({
      nodeId: A,
      address: '127.0.0.1',
      port: 30004,
      busPort: 31004,
      flags: ['slave'],
      masterId: B,
      configEpoch: 4,
      connected: true,
      slots: [],
      migrating: [],
      importing: [],
    });
    expect(view.nodes[2]?.slots).toEqual([
      { start: 5461, end: 10922 },
      { start: 16000, end: 16000 },
    ]);
  });

  it('of 7.0 and later may carry a hostname and further fields behind the ports', () => {
    const line = `${A} 10.0.0.1:6379@16379,h1.example,nodename=one,shard-id=ab master - 0 0 1 connected`;
    expect(only(line)).toMatchObject({ address: '10.0.0.1', port: 6379, busPort: 16379 });
    const empty = `${A} 10.0.0.1:6379@16379,,tls-port=0,shard-id=ab master - 0 0 1 connected`;
    expect(only(empty)).toMatchObject({ address: '10.0.0.1', busPort: 16379 });
  });

  it('may have an IPv6 address', () => {
    const line = `${A} 2001:db8::1:6379@16379 master - 0 0 1 connected`;
    expect(only(line)).toMatchObject({ address: '2001:db8::1', port: 6379, busPort: 16379 });
  });

  it('may have no address yet, or none any more', () => {
    expect(only(`${A} :6379@16379 myself,master - 0 0 0 connected`)).toMatchObject({
      address: '',
      port: 6379,
    });
    expect(only(`${A} :0@0 master,noaddr - 0 0 0 disconnected`)).toMatchObject({
      address: '',
      port: 0,
      busPort: 0,
      flags: ['master', 'noaddr'],
      connected: false,
    });
  });

  it('of Redis 3 has no bus port', () => {
    expect(only(`${A} 10.0.0.1:6379 master - 0 0 1 connected`)?.busPort).toBe(16379);
  });

  it('shows open slots beside owned ones', () => {
    const line = `${A} 10.0.0.1:6379@16379 myself,master - 0 0 1 connected 0-5 [5->-${B}] [77-<-${C}]`;
    expect(only(line)).toMatchObject({
      slots: [{ start: 0, end: 5 }],
      migrating: [{ slot: 5, nodeId: B }],
      importing: [{ slot: 77, nodeId: C }],
    });
  });

  it('keeps every flag but myself', () => {
    const line = `${A} 10.0.0.1:6379@16379 myself,slave,fail?,nofailover ${B} 0 0 1 connected`;
    expect(only(line)?.flags).toEqual(['slave', 'fail?', 'nofailover']);
  });

  it('of a nodes.conf may be its vars line, and lines may end with a carriage return', () => {
    const conf = `${text.replaceAll('\n', '\r\n')}vars currentEpoch 6 lastVoteEpoch 0\n`;
    expect(readClusterNodes(conf).view).toEqual(readClusterNodes(text).view);
  });

  it.each([
    'ERR This instance has cluster support disabled',
    `${A} nowhere master - 0 0 1 connected`,
    `${A} 10.0.0.1:x@16379 master - 0 0 1 connected`,
    `${A} 10.0.0.1:6379@16379 master - 0 0 1 connected 5-16384`,
    `${A} 10.0.0.1:6379@16379 master - 0 0 1 connected 9-5`,
    `${A} 10.0.0.1:6379@16379 master - 0 0 1 connected [5=${B}]`,
  ])('that is malformed is refused: %s', (line) => {
    expect(() => readClusterNodes(line)).toThrow(/reading CLUSTER NODES/);
  });
});

describe('views', () => {
  const later = text.replaceAll('1426238317239', '1426238399999').replace(' 0 0 1', ' 7 8 1');

  it('that differ in ping and pong times alone are not read again', () => {
    const first = readClusterNodes(text);
    expect(readClusterNodes(later, first)).toBe(first);
    expect(readClusterNodes(later)).toEqual(first);
  });

  it('that differ in anything else are read again', () => {
    const first = readClusterNodes(text);
    for (const changed of [
      text.replace('0-5460', '0-5459'),
      text.replace(' 2 connected', ' 3 connected'),
      text.replace('4 connected', '4 disconnected'),
      text.replace('30004@', '30005@'),
      text.replace('slave', 'slave,fail?'),
    ]) {
      const next = readClusterNodes(changed, first);
      expect(next).not.toBe(first);
    }
  });

  it('of nodes that agree have one hash, whoever is asked', () => {
    const ofA = text.replace('myself,', '').replace(' slave ', ' myself,slave ');
    const [first, other] = [readClusterNodes(text), readClusterNodes(ofA)];
    expect(other.myselfId).toBe(A);
    expect(other.view.hash).toBe(first.view.hash);
  });

  it.each([
    ['link state', ' 2 connected', ' 2 disconnected'],
    ['nofailover', ' slave ', ' slave,nofailover '],
    ['the epoch of a replica, which 5.0 prints as its own', ' 4 connected', ' 0 connected'],
  ])('agree in spite of %s', (_what, from, to) => {
    const changed = readClusterNodes(text.replace(from, to));
    expect(changed.view.hash).toBe(readClusterNodes(text).view.hash);
  });

  it.each([
    ['a slot', '0-5460', '0-5459'],
    ['the epoch of a master', ' 2 connected', ' 3 connected'],
    ['who follows whom', `slave ${B}`, `slave ${C}`],
    ['an open slot', '0-5460', `0-5460 [3->-${B}]`],
    ['a failure flag', ' slave ', ' slave,fail? '],
    ['an address', '127.0.0.1:30004', '127.0.0.2:30004'],
  ])('disagree about %s', (_what, from, to) => {
    const changed = readClusterNodes(text.replace(from, to));
    expect(changed.view.hash).not.toBe(readClusterNodes(text).view.hash);
  });

  it('have one hash in whatever order their nodes come', () => {
    const { nodes, hash } = readClusterNodes(text).view;
    fc.assert(
      fc.property(fc.shuffledSubarray([...nodes], { minLength: 3 }), (shuffled) => {
        expect(clusterViewOf(shuffled).hash).toBe(hash);
      }),
    );
  });
});
