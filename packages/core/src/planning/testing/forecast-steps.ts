/** A forecast in one go, where nobody else waits. */
import { forecastRounds, type Forecast, type ForecastInput } from '../forecast.ts';

export function forecastSteps(input: ForecastInput): Forecast {
  const rounds = forecastRounds(input);
  for (;;) {
    const { done, value } = rounds.next();
    if (done === true) return value;
  }
}
