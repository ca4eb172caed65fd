/**
 * Executes one step: fence, the node's turn, preconditions, the effect, a fresh observation. The one
 * `switch` over step kinds; no decision is taken here, and nothing is tried twice.
 */
import { RedroverError, type Fence, type NodeKey, type Step } from '@redrover/core';
import { checkPreconditions } from '../fence/preconditions.ts';
import { attachReplica } from './attach-replica.ts';
import { buildRelease, fetchBuild } from './build-steps.ts';
import { claimSlots } from './claim-slots.ts';
import { forgetNodes } from './forget-nodes.ts';
import { handoffMaster } from './handoff-master.ts';
import { meetNodes } from './meet-nodes.ts';
import { moveSlots, stopMoves } from './move-slots.ts';
import { prepareNodeStep } from './prepare-node-step.ts';
import { probeMesh } from './probe-mesh.ts';
import { removeNode } from './remove-node-step.ts';
import { setTiming } from './set-timing.ts';
import { startNode } from './start-node.ts';
import type { HostContext, StepEffect, StepOutcome, StepRun } from './step-context.ts';
import { stopNode } from './stop-node.ts';
import { StepQueues } from './step-queues.ts';
import { verifyWrite } from './verify-write.ts';

export class StepExecutor {
  readonly #context: HostContext;
  readonly #queues: StepQueues;

  constructor(context: HostContext) {
    this.#context = context;
    this.#queues = new StepQueues(context.nodes);
  }

  /** @throws RedroverError that says what was attempted, on what, and what to do next. */
  async execute(step: Step, fence: Fence, run: StepRun): Promise<StepOutcome> {
    const { host, fences, nodes, now } = this.#context;
    if (step.host !== host) {
      throw new RedroverError('invalid-argument', `the step is for ${step.host}, this is ${host}`);
    }
    const plan = step.kind === 'prepareNode' ? step.plan : undefined;
    const effect = await this.#queues.run(nodeOf(step), async () => {
      run.signal.throwIfAborted();
      // In the node's turn: what waited for another step may have expired, or be obsolete, by now.
      await fences.accept(fence, now(), plan);
      await this.#checkPreconditions(step, fence);
      return this.#perform(step, fence, run);
    });
    // Nothing else of this operation may ever come here again.
    const earlierMoves = run.isAwaited()
      ? await this.#context.moves.tellUnheard(fence.operationId)
      : [];
    const concernsMoves = step.kind === 'moveSlots' || step.kind === 'stopMoves';
    return {
      nodes: effect.touched.length === 0 ? [] : await nodes.observe(effect.touched, true),
      builds: await this.#context.builder.installed(),
      message: effect.message,
      move: effect.move,
      movers: concernsMoves ? this.#context.moves.list() : undefined,
      earlierMoves,
    };
  }

  async #checkPreconditions(step: Step, fence: Fence): Promise<void> {
    const { nodeId, role } = fence.preconditions;
    if (nodeId === '' && role === '') return;
    // What moves slots may take hours: it is out of the node's turn, but not out of its preconditions.
    const key = step.kind === 'moveSlots' ? step.node : nodeOf(step);
    if (key === undefined) {
      throw new RedroverError(
        'invalid-argument',
        `${step.kind} concerns no node, so it cannot have preconditions of one`,
      );
    }
    await checkPreconditions(this.#context.nodes.get(key), fence.preconditions);
  }

  #perform(step: Step, fence: Fence, run: StepRun): Promise<StepEffect> {
    const context = this.#context;
    switch (step.kind) {
      case 'buildRelease':
        return buildRelease(context, step, run);
      case 'fetchBuild':
        return fetchBuild(context, step, run);
      case 'prepareNode':
        return prepareNodeStep(context, step, run);
      case 'startNode':
        return startNode(context, step, run);
      case 'probeMesh':
        return probeMesh(step, run);
      case 'setTiming':
        return setTiming(context, step);
      case 'claimSlots':
        return claimSlots(context, step);
      case 'meetNodes':
        return meetNodes(context, step);
      case 'attachReplica':
        return attachReplica(context, step);
      case 'handoffMaster':
        return handoffMaster(context, step, run);
      case 'forgetNodes':
        return forgetNodes(context, step);
      case 'moveSlots':
        return moveSlots(context, step, fence, run);
      case 'stopMoves':
        return stopMoves(context, step, fence, run);
      case 'verifyWrite':
        return verifyWrite(context, step);
      case 'stopNode':
        return stopNode(context, step, run);
      case 'removeNode':
        return removeNode(context, step, run);
    }
  }
}

/** The node that the step acts on; undefined for steps on the host as a whole. */
function nodeOf(step: Step): NodeKey | undefined {
  switch (step.kind) {
    case 'buildRelease':
    case 'fetchBuild':
    case 'probeMesh':
    case 'moveSlots':
    case 'stopMoves':
      return undefined;
    case 'prepareNode':
      return step.plan.node.key;
    default:
      return step.node;
  }
}
