/** The agent as a library: for tests, which run it in their own process or look at its parts. */
export { runAgent, type AgentOptions } from './run-agent.ts';
export { createBuilder, type Builder } from './build/builder.ts';
export type { BuilderOptions } from './build/builder-options.ts';
export { readHostFacts } from './host/facts.ts';
export { preflightConfig, type PreflightRequest } from './nodes/preflight.ts';
export { DetachedLauncher } from './supervise/detached-launcher.ts';
export { MoveEngine } from './migrate/mover/move-engine.ts';
