/** A command that an agent could not do, with what it had done until then. */
import { RedroverError, type MoveReport } from '@redrover/core';
import type { CommandError } from '@redrover/proto';
import { commandErrorFromProto, moveReportFromProto } from '@redrover/wire';

export class CommandFailure extends RedroverError {
  /** Of a `moveSlots`; undefined where the agent does not say. */
  readonly move: MoveReport | undefined;

  constructor(message: CommandError) {
    const error = commandErrorFromProto(message);
    super(error.code, error.message, { context: error.context });
    this.name = 'CommandFailure';
    this.move = message.move === undefined ? undefined : moveReportFromProto(message.move);
  }
}

/** What was done before the error, as far as the agent has told. */
export function moveOfFailure(error: unknown): MoveReport | undefined {
  return error instanceof CommandFailure ? error.move : undefined;
}
