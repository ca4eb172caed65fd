/**
 * Sends one step to its host's agent, fenced, and waits for the outcome. Tries once; whether it is
 * tried again is the planner's business. What the result says of nodes is merged by `agents/`.
 */
import {
  RedroverError,
  stepKey,
  type Attempt,
  type Fence,
  type MoveReport,
  type NodeObservation,
  type NodeRole,
  type OperationKind,
  type Step,
  type StepPreconditions,
} from '@redrover/core';
import {
  attemptFromProto,
  fenceToProto,
  listFromProto,
  moveReportFromProto,
  stepToProto,
} from '@redrover/wire';

import type { CommandBody } from '../agents/agent-session.ts';
import type { Agents } from '../agents/agents.ts';
import type { CommandProgressListener } from '../agents/pending-commands.ts';
import { laneOf } from './lanes.ts';
import { timeoutOfStep } from './step-timeouts.ts';

/** What every step of an operation is fenced with. */
export type OperationFence = Pick<
  Fence,
  'incarnation' | 'cluster' | 'operationId' | 'layoutNumber'
>;

export interface StepExecution {
  readonly fence: OperationFence;
  /** Goes with a `prepareNode` alone. */
  readonly password: string;
  readonly preconditions: StepPreconditions;
  readonly onProgress: CommandProgressListener;
  readonly signal: AbortSignal;
}

export interface StepDone {
  /** One line for people; empty without anything to say. */
  readonly message: string;
  /** Of a `moveSlots`. */
  readonly move: MoveReport | undefined;
  /** At moving slots for this operation, which had ended unheard. */
  readonly earlierMoves: readonly Attempt[];
}

/** @throws RedroverError; `CommandFailure` where the agent says what it had done until then. */
export async function executeStep(
  agents: Agents,
  step: Step,
  execution: StepExecution,
): Promise<StepDone> {
  const { fence, password, preconditions, onProgress, signal } = execution;
  const timeoutMs = timeoutOfStep(step.kind);
  const expiresAtMs = Date.now() + timeoutMs;
  const body: CommandBody = {
    case: 'step',
    value: {
      fence: fenceToProto({ ...fence, expiresAtMs, preconditions }),
      step: stepToProto(step),
      ...(step.kind === 'prepareNode' ? { secrets: { password } } : {}),
    },
  };
  // What was moved until then is worth waiting for, and so is nothing being half open any more.
  const cancelGraceMs = step.kind === 'moveSlots' ? timeoutOfStep('stopMoves') : 0;
  const options = { timeoutMs, cancelGraceMs, onProgress, signal };
  const { result } = await agents.command(step.host, stepKey(step), body, options);
  if (result.case === 'step') {
    const { message, move, earlierMoves } = result.value;
    return {
      message,
      move: move === undefined ? undefined : moveReportFromProto(move),
      earlierMoves: listFromProto(earlierMoves, 'earlierMoves', attemptFromProto),
    };
  }
  throw new RedroverError('internal', `${stepKey(step)}: the agent of ${step.host} sent no result`);
}

/**
 * Makes sure that the step reaches the very node that the plan was made from, in the role in which
 * it may be done. `kind` is the operation's.
 */
export function preconditionsOf(
  step: Step,
  seen: NodeObservation | undefined,
  kind: OperationKind,
): StepPreconditions {
  const isOfNode = laneOf(step) !== step.host && step.kind !== 'prepareNode';
  const redis = isOfNode && seen?.process.state === 'running' ? seen.redis : undefined;
  if (redis === undefined) return { nodeId: '', role: '' };
  return { nodeId: redis.nodeId, role: roleFor(step, redis.role, kind) };
}

function roleFor(step: Step, role: NodeRole, kind: OperationKind): StepPreconditions['role'] {
  switch (step.kind) {
    case 'claimSlots':
    case 'moveSlots':
    case 'verifyWrite':
      return 'master';
    case 'handoffMaster':
      return 'replica';
    case 'stopNode':
      // A replica that a failover has just made a master serves clients: it is not stopped
      // before somebody else does. A removal stops masters as well.
      return kind !== 'remove' && role === 'replica' ? 'replica' : '';
    default:
      return '';
  }
}
