/** Every message's way there and back, through real bytes, and what hostile peers may send. */
import { isDeepStrictEqual } from 'node:util';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import type { DescEnum, DescMessage, MessageShape } from '@bufbuild/protobuf';
import { RedroverError } from '@redrover/core';
import type * as core from '@redrover/core';
import * as proto from '@redrover/proto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as wire from './index.ts';
import { optionalRoleFromProto } from './cluster.ts';
import * as arbitrary from './testing/arbitraries.ts';
import * as hostChangeArbitrary from './testing/host-change-arbitraries.ts';
import * as moveArbitrary from './testing/move-arbitraries.ts';
import { hostileMessage } from './testing/hostile-messages.ts';

interface Mapping {
  readonly name: string;
  readonly schema: DescMessage;
  readonly values: fc.Arbitrary<unknown>;
  readonly toProto: (value: unknown) => MessageShape<DescMessage>;
  readonly fromProto: (message: MessageShape<DescMessage>) => unknown;
}

function mapping<Core, Schema extends DescMessage>(
  schema: Schema,
  values: fc.Arbitrary<Core>,
  toProto: (value: Core) => MessageShape<Schema>,
  fromProto: (message: MessageShape<Schema>) => Core,
): Mapping {
  return {
    name: schema.typeName,
    schema,
    values,
    toProto: toProto as Mapping['toProto'],
    fromProto: fromProto as Mapping['fromProto'],
  };
}

const full = { view: 'full' } as const;

const mappings: readonly Mapping[] = [
  mapping(
    proto.HostFactsSchema,
    arbitrary.hostFacts,
    wire.hostFactsToProto,
    wire.hostFactsFromProto,
  ),
  mapping(
    proto.TuningItemSchema,
    arbitrary.tuningItem,
    wire.tuningItemToProto,
    wire.tuningItemFromProto,
  ),
  mapping(
    proto.ReleaseSourceSchema,
    arbitrary.releaseSource,
    wire.releaseSourceToProto,
    wire.releaseSourceFromProto,
  ),
  mapping(proto.ReleaseSchema, arbitrary.release, wire.releaseToProto, wire.releaseFromProto),
  mapping(proto.BuildSchema, arbitrary.build, wire.buildToProto, wire.buildFromProto),
  mapping(
    proto.InstalledBuildSchema,
    arbitrary.installedBuild,
    wire.installedBuildToProto,
    wire.installedBuildFromProto,
  ),
  mapping(
    proto.SharedBuildSchema,
    arbitrary.sharedBuild,
    wire.sharedBuildToProto,
    wire.sharedBuildFromProto,
  ),
  mapping(
    proto.SlotRangeSchema,
    arbitrary.slotRange,
    wire.slotRangeToProto,
    wire.slotRangeFromProto,
  ),
  mapping(
    proto.ClusterSpecSchema,
    arbitrary.clusterSpec,
    wire.clusterSpecToProto,
    wire.clusterSpecFromProto,
  ),
  mapping(
    proto.LayoutNodeSchema,
    arbitrary.layoutNode,
    wire.layoutNodeToProto,
    wire.layoutNodeFromProto,
  ),
  mapping(proto.LayoutSchema, arbitrary.layout, wire.layoutToProto, wire.layoutFromProto),
  mapping(proto.FindingSchema, arbitrary.finding, wire.findingToProto, wire.findingFromProto),
  mapping(
    proto.ClusterViewSchema,
    arbitrary.clusterView,
    wire.clusterViewToProto,
    wire.clusterViewFromProto,
  ),
  mapping(
    proto.ProcessObservationSchema,
    arbitrary.processObservation,
    wire.processObservationToProto,
    wire.processObservationFromProto,
  ),
  mapping(
    proto.RedisObservationSchema,
    arbitrary.redisObservation,
    (value) => wire.redisObservationToProto(value, full),
    (message) => wire.redisObservationFromProto(message),
  ),
  mapping(
    proto.NodeObservationSchema,
    arbitrary.nodeObservation,
    (value) => wire.nodeObservationToProto(value, full),
    (message) => wire.nodeObservationFromProto(message),
  ),
  mapping(
    proto.OperationSchema,
    arbitrary.operation,
    wire.operationToProto,
    wire.operationFromProto,
  ),
  mapping(proto.AttemptSchema, arbitrary.attempt, wire.attemptToProto, wire.attemptFromProto),
  mapping(proto.WaitingSchema, arbitrary.waiting, wire.waitingToProto, wire.waitingFromProto),
  mapping(proto.NodePlanSchema, arbitrary.nodePlan, wire.nodePlanToProto, wire.nodePlanFromProto),
  mapping(proto.StepSchema, arbitrary.step, wire.stepToProto, wire.stepFromProto),
  mapping(proto.FenceSchema, arbitrary.fence, wire.fenceToProto, wire.fenceFromProto),
  mapping(
    proto.HostChangeSchema,
    hostChangeArbitrary.hostChange,
    wire.hostChangeToProto,
    wire.hostChangeFromProto,
  ),
  mapping(
    proto.DomainOutcomeSchema,
    hostChangeArbitrary.domainOutcome,
    wire.domainOutcomeToProto,
    wire.domainOutcomeFromProto,
  ),
  mapping(
    proto.MoveOptionsSchema,
    moveArbitrary.moveOptions,
    wire.moveOptionsToProto,
    wire.moveOptionsFromProto,
  ),
  mapping(
    proto.MoverObservationSchema,
    moveArbitrary.mover,
    wire.moverToProto,
    wire.moverFromProto,
  ),
  mapping(
    proto.MoveProgressSchema,
    moveArbitrary.moveProgress,
    wire.moveProgressToProto,
    wire.moveProgressFromProto,
  ),
  mapping(
    proto.MoveReportSchema,
    moveArbitrary.moveReport,
    wire.moveReportToProto,
    wire.moveReportFromProto,
  ),
  mapping(
    proto.SlotSurveySchema,
    moveArbitrary.slotSurvey,
    wire.slotSurveyToProto,
    wire.slotSurveyFromProto,
  ),
  mapping(
    proto.PlannedMoveSchema,
    moveArbitrary.plannedMove,
    wire.plannedMoveToProto,
    wire.plannedMoveFromProto,
  ),
  mapping(proto.ReshardSchema, moveArbitrary.reshard, wire.reshardToProto, wire.reshardFromProto),
  mapping(
    proto.CommandErrorSchema,
    arbitrary.error,
    wire.commandErrorToProto,
    wire.commandErrorFromProto,
  ),
];

function throughBytes<Schema extends DescMessage>(
  schema: Schema,
  message: MessageShape<Schema>,
): MessageShape<Schema> {
  return fromBinary(schema, toBinary(schema, message));
}

/** What is wrong with the way in which a hostile message was taken; empty if it was read or refused as it should be. */
function misbehaviour(mapping: Mapping, message: MessageShape<DescMessage>): string {
  let value: unknown;
  try {
    value = mapping.fromProto(message);
  } catch (thrown) {
    if (!(thrown instanceof RedroverError)) return `threw ${String(thrown)}`;
    const field = thrown.context['field'] ?? '';
    const clear = thrown.code === 'invalid-argument' && thrown.message.startsWith(`${field}: `);
    return field !== '' && clear ? '' : `unclear ${thrown.code}: ${thrown.message}`;
  }
  // What was accepted is a value that can travel on.
  return isDeepStrictEqual(mapping.fromProto(mapping.toProto(value)), value)
    ? ''
    : 'accepted a value that does not survive a round trip';
}

describe.each(mappings)('$name', (mapping) => {
  it('is the same after a round trip through bytes', () => {
    fc.assert(
      fc.property(mapping.values, (value) => {
        const message = throughBytes(mapping.schema, mapping.toProto(value));
        expect(mapping.fromProto(message)).toEqual(value);
      }),
    );
  });

  it('never fails on hostile messages but with the name of the field', () => {
    fc.assert(
      fc.property(hostileMessage(mapping.schema), (hostile) => {
        const message = throughBytes(mapping.schema, hostile);
        expect(misbehaviour(mapping, message)).toBe('');
      }),
      { numRuns: 200 },
    );
  });

  it('never fails on flipped bytes but in the decoder or with the name of the field', () => {
    const bytes = mapping.values.map((value) => toBinary(mapping.schema, mapping.toProto(value)));
    fc.assert(
      fc.property(bytes, fc.nat(), fc.nat(255), (valid, position, byte) => {
        if (valid.length === 0) return;
        valid[position % valid.length] = byte;
        const message = decoded(mapping.schema, valid);
        expect(message === undefined ? '' : misbehaviour(mapping, message)).toBe('');
      }),
    );
  });
});

/** Undefined if protobuf-es refuses the bytes: grpc-js answers that itself, before a handler runs. */
function decoded(schema: DescMessage, bytes: Uint8Array): MessageShape<DescMessage> | undefined {
  try {
    return fromBinary(schema, bytes);
  } catch {
    return undefined;
  }
}

describe('coverage', () => {
  const files = [
    proto.file_redrover_v1_cluster,
    proto.file_redrover_v1_host,
    proto.file_redrover_v1_observation,
    proto.file_redrover_v1_operation,
    proto.file_redrover_v1_release,
    proto.file_redrover_v1_step,
  ];

  it('every message of redrover.v1 has a mapping, or travels inside one that has', () => {
    const seen = new Set<string>();
    const visit = (schema: DescMessage): void => {
      if (seen.has(schema.typeName)) return;
      seen.add(schema.typeName);
      for (const field of schema.fields) if (field.message !== undefined) visit(field.message);
    };
    for (const { schema } of mappings) visit(schema);
    const all = files.flatMap((file) => file.messages.map((message) => message.typeName));
    expect(all.filter((name) => !seen.has(name))).toEqual([]);
  });

  it('the status of a host survives the round trip', () => {
    fc.assert(
      fc.property(arbitrary.hostStatus, (status) => {
        expect(wire.hostStatusFromProto(wire.hostStatusToProto(status))).toBe(status);
      }),
    );
  });

  it.each(arbitrary.stepKinds)('the step %s survives the round trip', (kind) => {
    fc.assert(
      fc.property(arbitrary.stepOfKind(kind), (step) => {
        const message = throughBytes(proto.StepSchema, wire.stepToProto(step));
        expect(message.step.case).toBe(kind);
        expect(wire.stepFromProto(message)).toEqual(step);
      }),
      { numRuns: 20 },
    );
  });

  it('every step of the contract is known', () => {
    const { fields } = proto.StepSchema;
    expect(fields.map((field) => field.localName).sort()).toEqual([...arbitrary.stepKinds].sort());
  });

  it.each<[string, DescEnum, (value: number) => unknown]>([
    ['NodeRole', proto.NodeRoleSchema, wire.nodeRoleFromProto],
    ['HostStatus', proto.HostStatusSchema, wire.hostStatusFromProto],
    ['Product', proto.ProductSchema, wire.productFromProto],
    ['OperationKind', proto.OperationKindSchema, wire.operationKindFromProto],
    [
      'ProcessState',
      proto.ProcessStateSchema,
      (state: number) => wire.processObservationFromProto({ ...processMessage, state }).state,
    ],
  ])('every value of %s but unspecified has its name in core', (_, schema, fromProto) => {
    const names = schema.values.slice(1).map(({ number }) => fromProto(number));
    expect(new Set(names).size).toBe(schema.values.length - 1);
    expect(() => fromProto(0)).toThrow(/: unspecified$/);
    expect(() => fromProto(99)).toThrow(/: 99 is unknown to this version$/);
  });
});

const processMessage = wire.processObservationToProto({
  state: 'running',
  pid: 1,
  startedAtMs: 0,
  restarts: 0,
  reason: '',
  marker: undefined,
  hasData: false,
  identityLost: false,
  planHash: '',
  buildId: '',
});

describe('fields', () => {
  const layout = fc
    .sample(arbitrary.layout, { numRuns: 50, seed: 1 })
    .find(
      ({ nodes, shards }) => nodes.length > 2 && shards.some(({ slots }) => slots.length > 0),
    ) as core.Layout;

  it('are named by their whole path', () => {
    const message = wire.layoutToProto(layout);
    (message.nodes[2] as proto.LayoutNode).busPort = 65_536;
    expect(() => wire.layoutFromProto(message)).toThrow(
      'layout.nodes[2].busPort: 65536 is not a port (1 to 65535)',
    );
  });

  it('refuse a node key that names another node', () => {
    const message = wire.layoutToProto(layout);
    (message.nodes[0] as proto.LayoutNode).key = 'other:1';
    expect(() => wire.layoutFromProto(message)).toThrow(
      /^layout\.nodes\[0\]\.key: "other:1" does not name the node /,
    );
  });

  it('refuse slots that do not exist and ranges that end before they start', () => {
    const message = wire.slotRangeToProto({ start: 1, end: 2 });
    expect(() => wire.slotRangeFromProto({ ...message, end: 16_384 })).toThrow(
      'slots.end: 16384 is not a slot (0 to 16383)',
    );
    expect(() => wire.slotRangeFromProto({ ...message, start: 3 })).toThrow(
      'slots: the range 3-2 ends before it starts',
    );
  });

  it('refuse names that would leave a directory', () => {
    const release = wire.releaseToProto(fc.sample(arbitrary.release, 1)[0] as core.Release);
    for (const name of ['..', '.', 'a/b', '', '-rf', 'a\n', 'x'.repeat(129)]) {
      expect(() => wire.releaseFromProto({ ...release, name })).toThrow(/^release\.name: /);
    }
  });

  it('refuse numbers that JavaScript cannot count, in both directions', () => {
    const limit = BigInt(Number.MAX_SAFE_INTEGER);
    expect(wire.numberFromProto(limit, 'bytes')).toBe(Number.MAX_SAFE_INTEGER);
    expect(() => wire.numberFromProto(limit + 1n, 'bytes')).toThrow(/^bytes: 9007199254740992 /);
    expect(() => wire.numberToProto(0.5, 'bytes')).toThrow('bytes: 0.5 is not a whole number');
  });

  it('hold times to the millisecond, cut off what is finer, and refuse what is no time', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 8e15, noNaN: true }), (ms) => {
        const back = wire.timestampFromProto(wire.timestampToProto(ms), 'at');
        expect(back).toBe(Math.floor(ms));
      }),
    );
    const at = wire.timestampToProto(0);
    expect(wire.timestampFromProto({ ...at, nanos: 1_999_999 }, 'at')).toBe(1);
    expect(() => wire.timestampFromProto({ ...at, seconds: -1n }, 'at')).toThrow(/^at: -1 s/);
    expect(() => wire.timestampFromProto({ ...at, seconds: 9n, nanos: -1 }, 'at')).toThrow(/^at: /);
    expect(() => wire.timestampFromProto({ ...at, seconds: 2n ** 62n }, 'at')).toThrow(/^at: /);
    expect(() => wire.timestampFromProto(undefined, 'at')).toThrow('at: missing');
  });

  it('know unspecified as "nothing asked for" only where the contract says so', () => {
    expect(optionalRoleFromProto(proto.NodeRole.UNSPECIFIED, 'role')).toBeUndefined();
    expect(() => wire.nodeRoleFromProto(proto.NodeRole.UNSPECIFIED)).toThrow('role: unspecified');
  });
});

describe('errors inside messages', () => {
  it('keep message and context when the code is one of a newer peer', () => {
    const message = wire.commandErrorToProto(new RedroverError('fenced', 'too old'));
    const error = wire.commandErrorFromProto({ ...message, code: 'quarantined' });
    expect(error).toMatchObject({
      code: 'internal',
      message: 'too old',
      context: { peerCode: 'quarantined' },
    });
  });
});

describe('views in heartbeats', () => {
  const heartbeat = (redis: core.RedisObservation): proto.RedisObservation =>
    throughBytes(
      proto.RedisObservationSchema,
      wire.redisObservationToProto(redis, { view: 'hash' }),
    );

  it('come back whole from the shared view and the ids without a link', () => {
    fc.assert(
      fc.property(arbitrary.redisObservation, (redis) => {
        const shared = wire.sharedView(redis.view);
        expect(shared.nodes.every((node) => node.connected)).toBe(true);
        const message = heartbeat(redis);
        expect(message.view?.nodes).toEqual([]);
        const back = wire.redisObservationFromProto(message, (hash) =>
          hash === shared.hash ? shared : undefined,
        );
        expect(back).toEqual(redis);
      }),
    );
  });

  it('do not change the shared view, so that nodes that agree can hold the same one', () => {
    const redis = fc.sample(arbitrary.redisObservation, { numRuns: 1, seed: 7 })[0];
    const alone = { ...(redis as core.RedisObservation) };
    const view = wire.withDisconnected(alone.view, [alone.view.nodes[0]?.nodeId ?? '']);
    const shared = wire.sharedView(view);
    const copy = structuredClone(shared);
    wire.redisObservationFromProto(heartbeat({ ...alone, view }), () => shared);
    expect(shared).toEqual(copy);
  });

  it('are reported as missing once each, and everything else of the node is kept', () => {
    fc.assert(
      fc.property(fc.array(arbitrary.nodeObservation, { maxLength: 4 }), (observations) => {
        const messages = [...observations, ...observations].map((observation) =>
          wire.nodeObservationToProto(observation, { view: 'hash' }),
        );
        const read = wire.nodeObservationsFromProto(messages, () => undefined);
        const hashes = observations.flatMap(({ redis }) => (redis ? [redis.view.hash] : []));
        expect(read.missingViews).toEqual([...new Set(hashes)]);
        expect(read.observations.slice(0, observations.length)).toEqual(
          observations.map((observation) => ({
            ...observation,
            redis: observation.redis && {
              ...observation.redis,
              view: { hash: observation.redis.view.hash, nodes: [] },
            },
          })),
        );
      }),
    );
  });

  it('are not asked for when they travelled whole', () => {
    fc.assert(
      fc.property(arbitrary.nodeObservation, (observation) => {
        const message = wire.nodeObservationToProto(observation, { view: 'full' });
        const read = wire.nodeObservationsFromProto([message], () => undefined);
        expect(read).toEqual({ observations: [observation], missingViews: [] });
      }),
    );
  });
});
