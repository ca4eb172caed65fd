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
