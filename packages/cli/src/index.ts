/** What tests use of the CLI's package: stacks of real processes on this machine. */
export { ExitCode } from './exit-code.ts';
export { connectApi } from './connection/api.ts';
export type { Api } from './connection/api.ts';
export { LocalStack, isStackRunning, stopStack } from './stack/local-stack.ts';
export type { StackOptions } from './stack/local-stack.ts';
export {
  endProcess,
  identifyProcess,
  isRunning,
  sendSignal,
  waitForEnd,
} from './stack/process-identity.ts';
export type { ProcessIdentity } from './stack/process-identity.ts';
export { findPrograms } from './stack/programs.ts';
export type { Programs } from './stack/programs.ts';
export { readRecord, stackPaths } from './stack/stack-record.ts';
export type { Endpoints, StackHost, StackRecord } from './stack/stack-record.ts';
