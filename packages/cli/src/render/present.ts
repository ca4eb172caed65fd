/** Answers of the controller that must hold a field. */
import { RedroverError } from '@redrover/core';

/** Errors: `internal` when a controller, perhaps of another version, left the field out. */
export function present<T>(value: T | undefined, name: string): T {
  if (value !== undefined) return value;
  throw new RedroverError(
    'internal',
    `the controller's answer holds no ${name}: is it of the same version as this redrover?`,
  );
}
