/**
 * Makes the agent a small process: it lives beside databases that want the memory. What it runs as
 * must be given to Node at its start, so the agent replaces itself once, keeping its pid.
 */

/**
 * The young generation of 16 MB and optimized code buy speed that an agent has no use for: measured
 * with ten nodes, some 40 MB less is resident for the same processor time. V8's own threads collect
 * garbage sooner for as much time in all; a heap of 15 MB gains nothing, and costs 5 MB more.
 */
const NODE_FLAGS = [
  '--max-semi-space-size=2',
  '--optimize-for-size',
  '--no-opt',
  '--single-threaded',
];

/** glibc otherwise keeps an arena for each thread, of which libuv and V8 start some ten. */
const ENVIRONMENT = { MALLOC_ARENA_MAX: '1' };

/** Returns only when the process is as it should be, or cannot be. */
export function becomeSmall(): void {
  const isSmall = NODE_FLAGS.every((flag) => process.execArgv.includes(flag));
  // Where the script is not a file of its own (a test, a debugger), nothing could be run again.
  const [, script] = process.argv;
  if (isSmall || script === undefined || process.execve === undefined) return;
  const args = [process.execPath, ...NODE_FLAGS, ...process.execArgv, ...process.argv.slice(1)];
  try {
    process.execve(process.execPath, args, { ...process.env, ...ENVIRONMENT });
  } catch {
    // Not supported on this system: then the agent is as large as Node makes it.
  }
}
