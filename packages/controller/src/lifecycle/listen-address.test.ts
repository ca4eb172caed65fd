import { expect, test } from 'vitest';

import { formatAddress, isLoopback, parseListenAddress } from './listen-address.ts';

test.each([
  ['127.0.0.1:7400', { host: '127.0.0.1', port: 7400 }],
  ['[::1]:0', { host: '::1', port: 0 }],
  ['localhost:65535', { host: 'localhost', port: 65535 }],
])('%s is read, and shown as it was', (text, address) => {
  expect(parseListenAddress('--api', text)).toEqual(address);
  expect(formatAddress(address)).toBe(text);
});

test.each(['', '7400', '127.0.0.1', '127.0.0.1:', '127.0.0.1:65536', ':7400', '::1:7400', 'x:1'])(
  '"%s" is refused, naming the option',
  (text) => {
    expect(() => parseListenAddress('--agents', text)).toThrow(/--agents: expected ADDRESS:PORT/);
  },
);

test('only addresses that no other machine reaches are loopback', () => {
  expect(['127.0.0.1', '127.9.9.9', '::1', 'localhost'].every(isLoopback)).toBe(true);
  expect(['0.0.0.0', '::', '10.0.0.1', '128.0.0.1'].some(isLoopback)).toBe(false);
});
