/** What the exit codes of every command mean; part of the interface that scripts rely on. */

export const ExitCode = {
  /** Done, or nothing to do. */
  done: 0,
  /** Something failed; the error says what and what to do next. */
  failed: 1,
  /**
   * A plan has changes, a check has findings, a tuning item differs, a loss would not be survived, an
   * operation is done but for slots that a person must decide on.
   */
  attention: 2,
  /** The controller cannot be reached. */
  unreachable: 3,
  /** The command line or a file it names is wrong (EX_USAGE of sysexits.h). */
  usage: 64,
  /** Ctrl-C: what was under way in the controller goes on (128 + SIGINT, as shells count). */
  interrupted: 130,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];
