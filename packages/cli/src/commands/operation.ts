/** `redrover op …`: operations under way and past ones. */
import type { Operation } from '@redrover/core';
import { attemptFromProto, operationFromProto, waitingFromProto } from '@redrover/wire';
import type { Command } from 'commander';

import { ExitCode } from '../exit-code.ts';
import { argumentAt, textOption } from '../program/define-command.ts';
import type { Attach, Handler } from '../program/define-command.ts';
import type { Session } from '../program/session.ts';
import { watchOperation } from '../progress/watch-operation.ts';
import {
  renderOperation,
  renderOperations,
  toAttemptView,
  toOperationView,
} from '../render/operation-view.ts';
import { present } from '../render/present.ts';

export function defineOperationCommands(program: Command, attach: Attach): void {
  const op = program.command('op').alias('operation').description('operations on clusters');
  attach(
    op
      .command('ls')
      .description('list operations')
      .option('--cluster <name>', 'only of this cluster'),
    listOperations,
  );
  attach(op.command('show').description('journal of an operation').argument('<id>'), showOperation);
  attach(op.command('watch').description('follow an operation to its end').argument('<id>'), watch);
  attach(
    op.command('pause').description('start no further step until resumed').argument('<id>'),
    changeState('pauseOperation', 'pauses: steps that are under way end, no other begins'),
  );
  attach(
    op.command('resume').description('go on with a paused operation').argument('<id>'),
    changeState('resumeOperation', 'goes on'),
  );
  attach(
    op.command('cancel').description('give an operation up; what was done stays').argument('<id>'),
    changeState('cancelOperation', 'is cancelled; what was done so far stays'),
  );
}

const listOperations: Handler = async ({ api, output }, invocation) => {
  const cluster = textOption(invocation, 'cluster') ?? '';
  const operations = (await api.operations.listOperations({ cluster })).operations;
  const list = operations.map((each) => operationFromProto(each));
  output.result(list.map(toOperationView), (view) => renderOperations(list, view, Date.now()));
  return ExitCode.done;
};

const showOperation: Handler = async ({ api, output }, invocation) => {
  const answer = await api.operations.getOperation({ operation: argumentAt(invocation, 0) });
  const details = {
    operation: operationFromProto(present(answer.operation, 'operation')),
    attempts: answer.attempts.map((each) => attemptFromProto(each)),
    waits: answer.waits.map((each) => waitingFromProto(each)),
  };
  const value = {
    ...toOperationView(details.operation),
    attempts: details.attempts.map(toAttemptView),
    waits: details.waits,
  };
  output.result(value, (view) => renderOperation(details, view, Date.now()));
  return ExitCode.done;
};

const watch: Handler = async (session, invocation) => {
  const id = argumentAt(invocation, 0);
  const { operation } = await session.api.operations.getOperation({ operation: id });
  return followToEnd(session, { operation: operationFromProto(present(operation, 'operation')) });
};

export interface FollowInput {
  readonly operation: Operation;
  readonly foreseenSteps?: number | undefined;
}

/** Watches, then prints how it ended; the exit code is the operation's outcome. */
export async function followToEnd(session: Session, input: FollowInput): Promise<ExitCode> {
  const { api, output } = session;
  const result = await watchOperation({ api, output, ...input });
  if (result.kind === 'detached') {
    const { id } = input.operation;
    output.note(`Detached; the operation goes on. Follow it with: redrover op watch ${id}`);
    return ExitCode.interrupted;
  }
  const { operation } = result;
  output.result(toOperationView(operation), ({ style }) => {
    if (operation.state === 'done') return `${style.good('done')}: ${describe(operation)}`;
    const reason = operation.message === '' ? '' : `: ${operation.message}`;
    return `${style.bad(operation.state)}: ${describe(operation)}${reason}`;
  });
  return operation.state === 'done' ? ExitCode.done : ExitCode.failed;
}

function describe({ id, kind, cluster }: Operation): string {
  return `${kind} ${cluster} (operation ${id})`;
}

type StateChange = 'pauseOperation' | 'resumeOperation' | 'cancelOperation';

function changeState(method: StateChange, done: string): Handler {
  return async ({ api, output }, invocation) => {
    const id = argumentAt(invocation, 0);
    const { operation } = await api.operations[method]({ operation: id });
    const changed = operationFromProto(present(operation, 'operation'));
    output.result(toOperationView(changed), () => `Operation ${id} ${done}.`);
    return ExitCode.done;
  };
}
