/** `redrover op …`: operations under way and past ones. */
import { attemptFromProto, operationFromProto, waitingFromProto } from '@redrover/wire';
import type { Command } from 'commander';

import { ExitCode } from '../exit-code.ts';
import { argumentAt, flagOption, textOption } from '../program/define-command.ts';
import type { Attach, Handler } from '../program/define-command.ts';
import { summarizeMoved } from '../render/moved-summary.ts';
import {
  renderOperation,
  renderOperations,
  toAttemptView,
  toOperationView,
} from '../render/operation-view.ts';
import { present } from '../render/present.ts';
import { followAll } from './follow.ts';

const WATCH_HELP = `
Ctrl-C ends the watching, never the operation. In a pipe there is a line for each pair every few
seconds. The exit code is 0 when all is done, 2 when slots are left for a person to decide, else 1.`;

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
  attach(
    op
      .command('watch')
      .description('follow an operation to its end, with a bar for each pair whose slots move')
      .argument('<id>')
      .addHelpText('after', WATCH_HELP),
    watch,
  );
  attach(
    op
      .command('pause')
      .description(
        'begin no further step, and rest with slots that are on their way, until resumed',
      )
      .argument('<id>'),
    changeState(
      'pauseOperation',
      'pauses: slots that are half way are brought to their end within a second, other steps that ' +
        'are under way end, and no other begins',
    ),
  );
  attach(
    op.command('resume').description('go on with a paused operation').argument('<id>'),
    changeState('resumeOperation', 'goes on from where the cluster is now'),
  );
  attach(
    op
      .command('cancel')
      .description('give an operation up; what was done stays, and every slot is left whole')
      .argument('<id>')
      .option('--detach', 'do not wait for the end'),
    cancel,
  );
}

const listOperations: Handler = async ({ api, output }, invocation) => {
  const cluster = textOption(invocation, 'cluster') ?? '';
  const operations = (await api.operations.listOperations({ cluster })).operations;
  const list = operations.map((each) => operationFromProto(each));
  output.result(list.map(toOperationView), (view) => {
    if (list.length > 0) return renderOperations(list, view, Date.now());
    return cluster === '' ? 'No operations yet.' : `No operations on a cluster named ${cluster}.`;
  });
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
    moved: summarizeMoved(details.attempts),
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

/** What was moved until then is known once everything that was under way has come to rest. */
const cancel: Handler = async (session, invocation) => {
  const id = argumentAt(invocation, 0);
  const answer = await session.api.operations.cancelOperation({ operation: id });
  const operation = operationFromProto(present(answer.operation, 'operation'));
  if (flagOption(invocation, 'detach')) {
    session.output.result(toOperationView(operation), () => {
      return `Operation ${id} is being cancelled: redrover op watch ${id}`;
    });
    return ExitCode.done;
  }
  return followAll(session, [{ operation }], { wanted: 'cancelled' });
};

type StateChange = 'pauseOperation' | 'resumeOperation';

function changeState(method: StateChange, done: string): Handler {
  return async ({ api, output }, invocation) => {
    const id = argumentAt(invocation, 0);
    const { operation } = await api.operations[method]({ operation: id });
    const changed = operationFromProto(present(operation, 'operation'));
    output.result(toOperationView(changed), () => `Operation ${id} ${done}.`);
    return ExitCode.done;
  };
}
