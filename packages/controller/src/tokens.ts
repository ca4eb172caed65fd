/** What Nest injects by: names only; `app-module.ts` says what stands behind them. */

export const LOG = Symbol('log');
export const TOKENS = Symbol('tokens');
export const STORE = Symbol('store');
export const HOSTS = Symbol('hosts');
export const OBSERVATIONS = Symbol('observations');
export const AGENTS = Symbol('agents');
export const BUILD_EXCHANGE = Symbol('build-exchange');
export const RELEASES = Symbol('releases');
export const OPERATIONS = Symbol('operations');
export const CLUSTERS = Symbol('clusters');
export const EXAMINATIONS = Symbol('examinations');
export const METRICS = Symbol('metrics');
