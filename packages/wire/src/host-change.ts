/** What is asked of hosts, and what their loss would cost, between proto and core. */
import { create } from '@bufbuild/protobuf';
import type * as core from '@redrover/core';
import * as proto from '@redrover/proto';
import { slotRangeFromProto, slotRangeToProto } from './cluster.ts';
import {
  enumMapping,
  invalidField,
  listFromProto,
  nameFromProto,
  nonEmptyFromProto,
  numberFromProto,
  numberToProto,
} from './fields.ts';

const hostChangeKind = enumMapping<core.HostChangeKind, proto.HostChangeKind>({
  drain: proto.HostChangeKind.DRAIN,
  drainMove: proto.HostChangeKind.DRAIN_MOVE,
  undrain: proto.HostChangeKind.UNDRAIN,
  replace: proto.HostChangeKind.REPLACE,
  readdress: proto.HostChangeKind.READDRESS,
});

export function hostChangeToProto(change: core.HostChange): proto.HostChange {
  return create(proto.HostChangeSchema, {
    kind: hostChangeKind.toProto(change.kind),
    host: change.host,
    with: change.kind === 'replace' ? change.with : '',
  });
}

/** A successor beside anything but `replace` is refused: whoever named it meant something else. */
export function hostChangeFromProto(message: proto.HostChange, path = 'change'): core.HostChange {
  const kind = hostChangeKind.fromProto(message.kind, `${path}.kind`);
  const host = nameFromProto(message.host, `${path}.host`);
  if (kind === 'replace') return { kind, host, with: nameFromProto(message.with, `${path}.with`) };
  if (message.with !== '') throw invalidField(`${path}.with`, `only replace has one, not ${kind}`);
  return { kind, host };
}

export function domainOutcomeToProto(outcome: core.DomainOutcome): proto.DomainOutcome {
  return create(proto.DomainOutcomeSchema, {
    ...outcome,
    mastersThere: [...outcome.mastersThere],
    lostSlots: outcome.lostSlots.map(slotRangeToProto),
    lostShards: [...outcome.lostShards],
    failovers: [...outcome.failovers],
    busiestHostUsedBytes: numberToProto(
      outcome.busiestHostUsedBytes,
      'outcome.busiestHostUsedBytes',
    ),
    busiestHostMemoryBytes: numberToProto(
      outcome.busiestHostMemoryBytes,
      'outcome.busiestHostMemoryBytes',
    ),
  });
}

export function domainOutcomeFromProto(
  message: proto.DomainOutcome,
  path = 'outcome',
): core.DomainOutcome {
  const { kind } = message;
  if (kind !== 'host' && kind !== 'zone') {
    throw invalidField(`${path}.kind`, `${JSON.stringify(kind)} is neither host nor zone`);
  }
  const bytes = (field: 'busiestHostUsedBytes' | 'busiestHostMemoryBytes') =>
    numberFromProto(message[field], `${path}.${field}`);
  return {
    kind,
    domain: nonEmptyFromProto(message.domain, `${path}.domain`),
    mastersThere: [...message.mastersThere],
    lostSlots: listFromProto(message.lostSlots, `${path}.lostSlots`, slotRangeFromProto),
    lostShards: [...message.lostShards],
    failovers: [...message.failovers],
    mastersLeft: message.mastersLeft,
    mastersNeeded: message.mastersNeeded,
    quorumKept: message.quorumKept,
    replicasLeft: { ...message.replicasLeft },
    busiestHost: message.busiestHost,
    busiestHostUsedBytes: bytes('busiestHostUsedBytes'),
    busiestHostMemoryBytes: bytes('busiestHostMemoryBytes'),
    worstHostAfter: message.worstHostAfter,
    worstHostMastersAfter: message.worstHostMastersAfter,
  };
}
