/** Keys in slots of others, as they travel. */
import { create } from '@bufbuild/protobuf';
import type * as core from '@redrover/core';
import * as proto from '@redrover/proto';

import { listFromProto, numberFromProto, numberToProto } from './fields.ts';

export function orphanKeysToProto(orphans: core.OrphanKeys): proto.OrphanKeys {
  return create(proto.OrphanKeysSchema, {
    keys: numberToProto(orphans.keys, 'orphanKeys.keys'),
    slotCount: orphans.slotCount,
    slots: orphans.slots.map(({ slot, keys }) => ({
      slot,
      keys: numberToProto(keys, 'orphanKeys.slots.keys'),
    })),
  });
}

export function orphanKeysFromProto(message: proto.OrphanKeys, path: string): core.OrphanKeys {
  return {
    keys: numberFromProto(message.keys, `${path}.keys`),
    slotCount: message.slotCount,
    slots: listFromProto(message.slots, `${path}.slots`, ({ slot, keys }, at) => ({
      slot,
      keys: numberFromProto(keys, `${at}.keys`),
    })),
  };
}
