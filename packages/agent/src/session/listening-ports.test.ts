import { expect, test } from 'vitest';

import { listeningPorts } from './listening-ports.ts';

const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when\n';
const line = (local: string, state: string) =>
  `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000\n`;

const IPV4 =
  HEAD +
  // 127.0.0.11:6379, 127.0.0.12:6380, 0.0.0.0:22, 127.0.0.1:631, and a connection, not a listener.
  line('0B00007F:18EB', '0A') +
  line('0C00007F:18EC', '0A') +
  line('00000000:0016', '0A') +
  line('0100007F:0277', '0A') +
  line('0B00007F:9999', '01');

test('counts listeners on the own address and on all, not those of other loopback hosts', () => {
  expect([...listeningPorts(IPV4, '', '127.0.0.11')].sort()).toEqual([22, 6379]);
});

test('a host with a real address also binds to 127.0.0.1', () => {
  expect([...listeningPorts(IPV4, '', '10.0.0.1')].sort()).toEqual([22, 631]);
});

test('reads IPv6, and IPv4 within it', () => {
  const ipv6 =
    HEAD +
    line('00000000000000000000000000000000:0050', '0A') +
    line('0000000000000000FFFF00000B00007F:0051', '0A') +
    // fd00::7
    line('000000FD000000000000000007000000:0052', '0A');
  expect([...listeningPorts('', ipv6, '127.0.0.11')]).toEqual([80, 81]);
  expect([...listeningPorts('', ipv6, 'fd00::7')].sort()).toEqual([80, 82]);
});
