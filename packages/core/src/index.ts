/** The pure domain of Redrover: no I/O, no clock, no randomness that is not passed in. */
export * from './errors.ts';
export * from './model/finding.ts';
export * from './model/host.ts';
export * from './model/layout.ts';
export * from './model/observation.ts';
export * from './model/operation.ts';
export * from './model/release.ts';
export * from './model/slots.ts';
export * from './model/spec.ts';
export * from './model/step.ts';
export { formatSpec } from './spec/format-spec.ts';
export type { SpecFields } from './spec/format-spec.ts';
export { formatMemorySize, parseMemorySize } from './spec/memory-size.ts';
export { parseSpec } from './spec/parse-spec.ts';
export type { ParsedSpec } from './spec/parse-spec.ts';
export { formatSpecProblem } from './spec/spec-problem.ts';
export type { SpecPath, SpecProblem } from './spec/spec-problem.ts';
