/** Hosts: facts, status and tuning items between proto and core. */
import { create } from '@bufbuild/protobuf';
import type * as core from '@redrover/core';
import * as proto from '@redrover/proto';
import { enumMapping, nonEmptyFromProto, numberFromProto, numberToProto } from './fields.ts';

const hostStatus = enumMapping<core.HostStatus, proto.HostStatus>({
  online: proto.HostStatus.ONLINE,
  suspect: proto.HostStatus.SUSPECT,
  lost: proto.HostStatus.LOST,
});

const tuningState = enumMapping<core.TuningItem['state'], proto.TuningState>({
  ok: proto.TuningState.OK,
  differs: proto.TuningState.DIFFERS,
  'not-persisted': proto.TuningState.NOT_PERSISTED,
  'needs-root': proto.TuningState.NEEDS_ROOT,
  'read-only': proto.TuningState.READ_ONLY,
  advice: proto.TuningState.ADVICE,
});

export function hostStatusToProto(status: core.HostStatus): proto.HostStatus {
  return hostStatus.toProto(status);
}

export function hostStatusFromProto(status: proto.HostStatus, path = 'status'): core.HostStatus {
  return hostStatus.fromProto(status, path);
}

export function hostFactsToProto(facts: core.HostFacts): proto.HostFacts {
  return create(proto.HostFactsSchema, {
    ...facts,
    memoryBytes: numberToProto(facts.memoryBytes, 'facts.memoryBytes'),
    diskTotalBytes: numberToProto(facts.diskTotalBytes, 'facts.diskTotalBytes'),
    diskFreeBytes: numberToProto(facts.diskFreeBytes, 'facts.diskFreeBytes'),
    addresses: [...facts.addresses],
  });
}

export function hostFactsFromProto(message: proto.HostFacts, path = 'facts'): core.HostFacts {
  return {
    hostname: message.hostname,
    cores: message.cores,
    memoryBytes: numberFromProto(message.memoryBytes, `${path}.memoryBytes`),
    diskTotalBytes: numberFromProto(message.diskTotalBytes, `${path}.diskTotalBytes`),
    diskFreeBytes: numberFromProto(message.diskFreeBytes, `${path}.diskFreeBytes`),
    kernel: message.kernel,
    os: message.os,
    arch: message.arch,
    libc: message.libc,
    compiler: message.compiler,
    addresses: [...message.addresses],
    platform: message.platform,
    root: message.root,
    agentVersion: message.agentVersion,
    rootDirectory: message.rootDirectory,
  };
}

export function tuningItemToProto(item: core.TuningItem): proto.TuningItem {
  return create(proto.TuningItemSchema, { ...item, state: tuningState.toProto(item.state) });
}

export function tuningItemFromProto(message: proto.TuningItem, path = 'item'): core.TuningItem {
  return {
    name: nonEmptyFromProto(message.name, `${path}.name`),
    found: message.found,
    wanted: message.wanted,
    source: message.source,
    state: tuningState.fromProto(message.state, `${path}.state`),
    before: message.before,
    hint: message.hint,
  };
}
