/** The command line, or a file that it names, is wrong: exit code 64. */
import { RedroverError } from '@redrover/core';

export class UsageError extends RedroverError {
  constructor(message: string) {
    super('invalid-argument', message);
    this.name = 'UsageError';
  }
}

/** Printed already, in a form of its own; only the exit code is left to be set. */
export class ReportedUsageError extends UsageError {}
