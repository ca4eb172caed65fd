/** Turns one command of the controller into calls, and what they return into a result. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { RedroverError, type MoveProgress, type TuningItem } from '@redrover/core';
import type { Command, CommandResultSchema, StepCommand } from '@redrover/proto';
import {
  attemptToProto,
  buildToProto,
  fenceFromProto,
  installedBuildToProto,
  moveReportToProto,
  moverToProto,
  listFromProto,
  nodeObservationToProto,
  requiredField,
  slotRangeFromProto,
  slotSurveyToProto,
  stepFromProto,
  tuningItemToProto,
} from '@redrover/wire';
import type { StepExecutor } from '../steps/execute-step.ts';
import type { HostContext } from '../steps/step-context.ts';
import { surveySlots } from '../survey/survey-slots.ts';
import { tailLog } from './log-tail.ts';

export interface HostTuning {
  readonly check: () => Promise<readonly TuningItem[]>;
  readonly apply: () => Promise<readonly TuningItem[]>;
}

export interface CommandSources {
  readonly context: HostContext;
  readonly steps: StepExecutor;
  readonly tuning: HostTuning;
}

export interface CommandRun {
  readonly signal: AbortSignal;
  readonly onLine: (line: string) => void;
  readonly onMove: (progress: MoveProgress) => void;
  readonly isAwaited: () => boolean;
}

export type CommandAnswer = NonNullable<MessageInitShape<typeof CommandResultSchema>['result']>;

/** @throws RedroverError that becomes the result's error. */
export async function runCommand(
  { command }: Command,
  sources: CommandSources,
  run: CommandRun,
): Promise<CommandAnswer> {
  const { nodes, builder } = sources.context;
  switch (command.case) {
    case 'step':
      return runStep(command.value, sources, run);
    case 'checkTuning':
      return tuningAnswer(await sources.tuning.check());
    case 'applyTuning':
      return tuningAnswer(await sources.tuning.apply());
    case 'tailLog': {
      const { node, lines } = command.value;
      return { case: 'log', value: { lines: await tailLog(nodes.get(node), lines) } };
    }
    case 'observeNodes': {
      const observations = await nodes.observe(command.value.nodes, true);
      const messages = observations.map((node) => nodeObservationToProto(node, { view: 'full' }));
      return { case: 'observation', value: { nodes: messages } };
    }
    case 'resolveAptRelease': {
      const { package: name, suite } = command.value;
      const { version, fileName, sha256 } = await builder.resolveApt(name, suite, run);
      return { case: 'aptRelease', value: { version, fileName, sha256 } };
    }
    case 'readBuild':
      return { case: 'build', value: buildToProto(await builder.read(command.value.buildId)) };
    case 'surveySlots': {
      const { node, slots, budgetMs } = command.value;
      const request = { slots: listFromProto(slots, 'slots', slotRangeFromProto), budgetMs };
      const survey = await surveySlots(nodes.get(node), request, run.signal);
      return { case: 'survey', value: slotSurveyToProto(survey) };
    }
    case undefined:
      throw new RedroverError(
        'invalid-argument',
        'this agent does not know that command; upgrade it to the version of the controller',
      );
  }
}

async function runStep(
  message: StepCommand,
  { steps }: CommandSources,
  run: CommandRun,
): Promise<CommandAnswer> {
  const step = stepFromProto(requiredField(message.step, 'step'));
  const fence = fenceFromProto(requiredField(message.fence, 'fence'));
  const password = message.secrets?.password;
  const outcome = await steps.execute(step, fence, { ...run, password });
  return {
    case: 'step',
    value: {
      nodes: outcome.nodes.map((node) => nodeObservationToProto(node, { view: 'full' })),
      builds: outcome.builds.map(installedBuildToProto),
      message: outcome.message,
      ...(outcome.move === undefined ? {} : { move: moveReportToProto(outcome.move) }),
      hasMovers: outcome.movers !== undefined,
      movers: (outcome.movers ?? []).map(moverToProto),
      earlierMoves: outcome.earlierMoves.map(attemptToProto),
    },
  };
}

function tuningAnswer(items: readonly TuningItem[]): CommandAnswer {
  return { case: 'tuning', value: { items: items.map(tuningItemToProto) } };
}
