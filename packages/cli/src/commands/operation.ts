/** `redrover op …`: operations under way and past ones. */
import { attemptFromProto, operationFromProto, waitingFromProto } from '@redrover/wire';
import type { Command } from 'commander';

import { ExitCode } from '../exit-code.ts';
import { argumentAt, textOption } from '../program/define-command.ts';
import type { Attach, Handler } from '../program/define-command.ts';
import {
  renderOperation,
  renderOperations,
  toAttemptView,
  toOperationView,
} from '../render/operation-view.ts';
import { present } from '../render/present.ts';
import { followAll } from './follow.ts';

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
  return followAll(session, [{ operation: operationFromProto(present(operation, 'operation')) }]);
};

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
