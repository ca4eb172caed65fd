/** A forecast that lets the controller hear its agents in between: it may take seconds. */
import { setImmediate } from 'node:timers/promises';
import { forecastRounds, type Forecast, type ForecastInput } from '@redrover/core';

export async function forecastSteps(input: ForecastInput): Promise<Forecast> {
  const rounds = forecastRounds(input);
  for (;;) {
    const { done, value } = rounds.next();
    if (done === true) return value;
    await setImmediate();
  }
}
