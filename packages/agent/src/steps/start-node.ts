/** `startNode`: the process, and the patience until it answers and has loaded its data. */
import { setTimeout as delay } from 'node:timers/promises';
import { RedroverError, type StartNodeStep } from '@redrover/core';
import { lastWords } from '../supervise/exit-reason.ts';
import type { HostContext, StepEffect, StepRun } from './step-context.ts';

/** A node without data answers within 0.1 s. One that loads gets until the command's deadline. */
const ANSWER_TIMEOUT_MS = 15_000;
const POLL_MS = 25;

export async function startNode(
  { nodes }: HostContext,
  step: StartNodeStep,
  { signal, onLine }: StepRun,
): Promise<StepEffect> {
  const node = nodes.get(step.node);
  await node.supervisor.start();
  const since = performance.now();
  let saidLoading = false;
  for (;;) {
    signal.throwIfAborted();
    const { redis, process: seen } = await node.observe({ fresh: false });
    if (redis !== undefined && !redis.loading) {
      return { touched: [step.node], message: `runs as pid ${seen.pid ?? '?'}` };
    }
    if (redis?.loading === true && !saidLoading) {
      saidLoading = true;
      onLine(`${step.node} is loading its data`);
    }
    // The supervisor's own looks wait for this step to end, so the process is looked at here.
    if (!node.supervisor.isUp) {
      throw new RedroverError(
        'failed-precondition',
        `${step.node} ended right after its start: ${await lastWords(node.paths)}`,
        { context: { log: node.paths.log } },
      );
    }
    if (redis === undefined && performance.now() - since > ANSWER_TIMEOUT_MS) {
      throw new RedroverError(
        'deadline-exceeded',
        `${step.node} runs as pid ${seen.pid ?? '?'} but did not answer within ` +
          `${ANSWER_TIMEOUT_MS / 1000} s: ${await lastWords(node.paths)}`,
        { context: { log: node.paths.log } },
      );
    }
    await delay(POLL_MS);
  }
}
