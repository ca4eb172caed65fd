/** Random host changes, and answers to what a loss would cost. */
import type * as core from '@redrover/core';
import * as fc from 'fast-check';
import {
  bool,
  key,
  list,
  name,
  record,
  slotRange,
  text,
  uint32,
  uint64,
  word,
} from './field-arbitraries.ts';

export const hostChange: fc.Arbitrary<core.HostChange> = fc.oneof(
  record<Exclude<core.HostChange, { kind: 'replace' }>>({
    kind: fc.constantFrom('drain', 'drainMove', 'undrain', 'readdress'),
    host: name,
  }),
  record<Extract<core.HostChange, { kind: 'replace' }>>({
    kind: fc.constant('replace'),
    host: name,
    with: name,
  }),
);

export const domainOutcome = record<core.DomainOutcome>({
  kind: fc.constantFrom('host', 'zone'),
  domain: word,
  mastersThere: list(text),
  lostSlots: list(slotRange),
  lostShards: list(text),
  failovers: list(text),
  mastersLeft: uint32,
  mastersNeeded: uint32,
  quorumKept: bool,
  replicasLeft: fc.dictionary(key, uint32, { maxKeys: 4, noNullPrototype: true }),
  busiestHost: text,
  busiestHostUsedBytes: uint64,
  busiestHostMemoryBytes: uint64,
  worstHostAfter: text,
  worstHostMastersAfter: uint32,
});
